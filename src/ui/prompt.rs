//! Prompts. Silence, the end of input and anything but a clear yes mean No.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::oneshot;

use super::waiting::Held;
use super::{Ui, escape, lock};

/// What counts as a yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// `y` or `yes`, if the action can be undone.
    Yes,
    /// The complete word `yes`, if it cannot.
    TypedYes,
}

/// The part of standard input to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The first line, without its end.
    Line,
    /// All of it.
    Everything,
}

impl Ui {
    /// Whether the user can be asked: standard input and standard error are terminals, and prompts are allowed.
    pub fn can_ask(&self) -> bool {
        self.stdin_terminal && self.stderr_terminal && !self.settings.no_input
    }

    /// Asks for a confirmation. Call it only if [`Ui::can_ask`].
    pub async fn confirm(&self, question: &str, consent: Consent) -> bool {
        let choices = match consent {
            Consent::Yes => "[y/N]",
            Consent::TypedYes => "Type 'yes' to continue:",
        };
        let unanswered = self.open_question(&format!("{} {choices} ", escape(question)));
        match self.read(move |input| read_answer(input, consent)).await {
            Some(Answer::Given(yes)) => {
                unanswered.close();
                yes
            }
            Some(Answer::End) | None => false,
        }
    }

    /// Asks for a line of text; `None` at the end of input. Call it only if [`Ui::can_ask`].
    pub async fn ask(&self, question: &str) -> Option<String> {
        let unanswered = self.open_question(&format!("{}: ", escape(question)));
        let line = self.read(read_line).await.flatten()?;
        unanswered.close();
        Some(line)
    }

    /// Asks for a choice by its number or name. An empty answer means the first. `None` at the end of input. Call it
    /// only if [`Ui::can_ask`].
    pub async fn choose(&self, question: &str, choices: &[&str]) -> Option<usize> {
        self.write_prompt(&format!("{}\n", escape(question)));
        for (index, choice) in choices.iter().enumerate() {
            self.write_prompt(&format!("  {}) {}\n", index + 1, escape(choice)));
        }
        loop {
            let answer = self.ask("Choice [1]").await?;
            match find_choice(&answer, choices) {
                Some(index) => return Some(index),
                None => self.write_prompt(&format!("Enter a number from 1 to {}.\n", choices.len())),
            }
        }
    }

    /// Asks for a secret without echo; `None` at the end of input or for an empty answer. Call it only if
    /// [`Ui::can_ask`].
    ///
    /// # Errors
    /// The mode of the terminal cannot be changed.
    pub async fn ask_hidden(&self, question: &str) -> io::Result<Option<SecretString>> {
        let typed = self.read_hidden(&format!("{}: ", escape(question))).await?;
        Ok(typed.filter(|text| !text.is_empty()).map(SecretString::from))
    }

    /// Reads a secret from standard input: a line without echo if it is a terminal, otherwise the content of the pipe,
    /// up to `limit` bytes. The end of input results in an empty text.
    ///
    /// # Errors
    /// The input cannot be read, or it is a terminal and prompts are not allowed.
    pub async fn read_secret(&self, question: &str, limit: u64, extent: Extent) -> io::Result<String> {
        if self.stdin_terminal {
            if self.settings.no_input {
                return Err(io::Error::other("it is a terminal, and prompts are disabled"));
            }
            return Ok(self.read_hidden(&format!("{}: ", escape(question))).await?.unwrap_or_default());
        }
        let read = self.read(move |input| read_piped(input, limit, extent)).await;
        read.unwrap_or_else(|| Ok(String::new()))
    }

    #[cfg(unix)]
    async fn read_hidden(&self, prompt: &str) -> io::Result<Option<String>> {
        let _hidden = (self.terminal.hide)()?;
        // The user's newline is not shown either, so this adds one.
        let _new_line = self.open_question(prompt);
        Ok(self.read(read_whole_line).await.flatten())
    }

    #[cfg(not(unix))]
    async fn read_hidden(&self, prompt: &str) -> io::Result<Option<String>> {
        let prompt = prompt.to_owned();
        let _held = self.hold_waiting();
        match on_a_thread(move || rpassword::prompt_password(prompt)).await {
            Some(Ok(text)) => Ok(Some(text)),
            Some(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Some(Err(error)) => Err(error),
            None => Ok(None),
        }
    }

    /// Prints a line that belongs to the next prompt, so even with `--quiet`.
    pub fn before_asking(&self, text: &str) {
        self.write_prompt(&format!("{}\n", escape(text)));
    }

    fn open_question(&self, text: &str) -> Unanswered<'_> {
        let held = self.hold_waiting();
        self.write_prompt(text);
        Unanswered { ui: self, open: true, _held: held }
    }

    /// Reads from the input, on a thread of its own.
    async fn read<T: Send + 'static>(&self, read: impl FnOnce(&mut dyn BufRead) -> T + Send + 'static) -> Option<T> {
        let input = Arc::clone(&self.input);
        on_a_thread(move || read(&mut *lock(&input))).await
    }

    fn write_prompt(&self, text: &str) {
        let _ = self.flush();
        self.to_stderr(text);
    }
}

/// A prompt without a typed answer, so the cursor is behind it. Dropping this starts a new line, at the end of input as
/// well as after Ctrl-C.
struct Unanswered<'a> {
    ui: &'a Ui,
    open: bool,
    _held: Held<'a>,
}

impl Unanswered<'_> {
    fn close(mut self) {
        self.open = false;
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if self.open {
            self.ui.write_prompt("\n");
        }
    }
}

/// Runs a read that may never end on a thread that the end of the program does not wait for.
async fn on_a_thread<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        // The receiver is gone if the program is ending.
        let _ = sender.send(read());
    });
    receiver.await.ok()
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Given(bool),
    End,
}

fn read_answer(input: &mut dyn BufRead, consent: Consent) -> Answer {
    let Some(line) = read_line(input) else { return Answer::End };
    let word = line.to_lowercase();
    Answer::Given(match consent {
        Consent::Yes => word == "y" || word == "yes",
        Consent::TypedYes => word == "yes",
    })
}

/// Reads one line without its end and surrounding blanks; `None` at the end of input or if it cannot be read.
fn read_line(input: &mut dyn BufRead) -> Option<String> {
    read_whole_line(input).map(|line| line.trim().to_owned())
}

/// Reads one line without its end, but with blanks, because a password may begin or end with them.
fn read_whole_line(input: &mut dyn BufRead) -> Option<String> {
    let mut line = String::new();
    match input.read_line(&mut line) {
        // A line without a newline was cut off by the end of input, so it is not an answer.
        Ok(_) if line.ends_with('\n') => Some(line.trim_end_matches(['\r', '\n']).to_owned()),
        _ => None,
    }
}

fn read_piped(input: &mut dyn BufRead, limit: u64, extent: Extent) -> io::Result<String> {
    let mut text = String::new();
    let mut input = input.take(limit);
    match extent {
        Extent::Everything => {
            input.read_to_string(&mut text)?;
        }
        Extent::Line => {
            input.read_line(&mut text)?;
            if text.ends_with('\n') {
                text.pop();
                if text.ends_with('\r') {
                    text.pop();
                }
            }
        }
    }
    Ok(text)
}

fn find_choice(answer: &str, choices: &[&str]) -> Option<usize> {
    if answer.is_empty() {
        return Some(0);
    }
    if let Ok(number) = answer.parse::<usize>() {
        return number.checked_sub(1).filter(|index| *index < choices.len());
    }
    if let Some(index) = choices.iter().position(|choice| choice.eq_ignore_ascii_case(answer)) {
        return Some(index);
    }
    // The beginning of a name is sufficient if it is unique.
    let typed = answer.to_lowercase();
    let mut begun = choices.iter().enumerate().filter(|(_, choice)| choice.to_lowercase().starts_with(&typed));
    let (index, _) = begun.next()?;
    begun.next().is_none().then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::OutputSettings;
    use crate::ui::streams::recorded::Recorded;

    fn typed(text: &str) -> Recorded {
        Recorded::terminal(&OutputSettings::default(), text)
    }

    #[tokio::test]
    async fn a_question_is_a_message_and_its_answer_a_line_of_input() {
        for (text, consent, expected) in [
            ("n\n", Consent::Yes, false),
            ("maybe\n", Consent::Yes, false),
            ("Yes\nno\n", Consent::Yes, true),
            ("y\n", Consent::TypedYes, false),
            ("yes\n", Consent::TypedYes, true),
        ] {
            let screen = typed(text);
            assert_eq!(screen.ui().confirm("Remove a\u{1b}?", consent).await, expected, "{text:?}");
            let choices = if consent == Consent::Yes { "[y/N]" } else { "Type 'yes' to continue:" };
            assert_eq!(screen.stderr(), format!("Remove a\\u{{1b}}? {choices} "));
            assert_eq!(screen.stdout(), "");
        }
        let screen = typed("");
        assert!(!screen.ui().confirm("Remove a?", Consent::Yes).await);
        assert_eq!(screen.stderr(), "Remove a? [y/N] \n", "what comes next starts on its own line");
    }

    #[tokio::test]
    async fn one_question_after_the_other_takes_one_line_after_the_other() {
        let screen = typed("nothing such\n3\n2\n alice \nsecret \n");
        let ui = screen.ui();
        assert_eq!(ui.choose("How?", &["token", "password"]).await, Some(1));
        let choice = "Choice [1]: ";
        let again = "Enter a number from 1 to 2.\n";
        let shown = format!("How?\n  1) token\n  2) password\n{choice}{again}{choice}{again}{choice}");
        assert_eq!(screen.stderr(), shown);
        assert_eq!(ui.ask("Login").await.as_deref(), Some("alice"));
        assert_eq!(ui.read_secret("Password", 100, Extent::Line).await.expect("a secret"), "secret ");
        assert_eq!(ui.ask("More").await, None);
    }

    #[tokio::test]
    async fn nothing_is_asked_where_nobody_answers() {
        let quiet = OutputSettings { no_input: true, ..OutputSettings::default() };
        assert!(typed("").ui().can_ask());
        let silent = Recorded::terminal(&quiet, "secret\n");
        assert!(!silent.ui().can_ask());
        silent.ui().read_secret("Password", 100, Extent::Line).await.expect_err("it would have to ask");
        let piped = Recorded::pipes(&quiet, "secret\nrest");
        assert!(!piped.ui().can_ask());
        assert_eq!(piped.ui().read_secret("Password", 100, Extent::Line).await.expect("a secret"), "secret");
        assert_eq!(piped.stderr() + &piped.stdout(), "");
    }

    fn answer(text: &str, consent: Consent) -> Answer {
        read_answer(&mut text.as_bytes(), consent)
    }

    #[test]
    fn only_a_clear_yes_is_a_yes() {
        for (text, reversible, irreversible) in [
            ("y\n", true, false),
            ("Y\n", true, false),
            (" yes \n", true, true),
            ("YES\r\n", true, true),
            ("\n", false, false),
            ("n\n", false, false),
            ("yess\n", false, false),
            ("yep\n", false, false),
            ("no\n", false, false),
            ("\u{1b}\n", false, false),
        ] {
            assert_eq!(answer(text, Consent::Yes), Answer::Given(reversible), "{text:?}");
            assert_eq!(answer(text, Consent::TypedYes), Answer::Given(irreversible), "{text:?}");
        }
    }

    #[test]
    fn the_end_of_input_is_no_answer() {
        for text in ["", "y", "yes"] {
            assert_eq!(answer(text, Consent::Yes), Answer::End, "{text:?}");
        }
        assert_eq!(read_answer(&mut &b"\xff\n"[..], Consent::Yes), Answer::End);
    }

    #[test]
    fn piped_secrets_lose_the_end_of_their_line_only() {
        let read = |text: &str, extent| read_piped(&mut text.as_bytes(), 20, extent).expect("a text");
        for text in [" pass word ", " pass word \n", " pass word \r\n", " pass word \nmore\n"] {
            assert_eq!(read(text, Extent::Line), " pass word ", "{text:?}");
        }
        assert_eq!(read("", Extent::Line), "");
        assert_eq!(read("a\nb\n", Extent::Everything), "a\nb\n");
    }

    #[test]
    fn choices_go_by_number_or_name() {
        let choices = ["token", "password"];
        assert_eq!(find_choice("", &choices), Some(0));
        assert_eq!(find_choice("2", &choices), Some(1));
        assert_eq!(find_choice("Password", &choices), Some(1));
        assert_eq!(find_choice("Pass", &choices), Some(1));
        for answer in ["0", "3", "x", "passwords"] {
            assert_eq!(find_choice(answer, &choices), None);
        }
    }
}
