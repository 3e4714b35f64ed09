//! Translates command lines of the older client: `--switch=false`, and empty values that mean "not given". Uses the
//! command tree to distinguish between switches and other options, before the command line is parsed.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};

use crate::env;

/// Global options of the older client; an empty value means "not given".
const GLOBALS_MAY_BE_EMPTY: [&str; 6] = ["config", "log", "login", "password", "token", "url"];

/// The same for options of single commands. Empty values of new options are passed on: `find --name ""` would find too
/// much if it were treated as a search without a name.
const MAY_BE_EMPTY: &[(&str, &[&str])] = &[
    ("config add oauth", &["id_token"]),
    ("configure oauth", &["id_token"]),
    ("jobs delete", &["filter", "job_id"]),
    ("jobs get", &["filter"]),
    ("ls", &["format"]),
    ("meta get", &["namespace"]),
    ("scp", &["multipart_debug_flags", "retry_max_backoff"]),
    ("update", &["version"]),
    ("version", &["format"]),
];

/// Returns the command line with `--switch` in place of every `--switch=true`, without switches that are set to false,
/// and without empty values that mean nothing. Anything else is left to the parser.
pub(super) fn in_own_form(arguments: Vec<OsString>, tree: &Command) -> Vec<OsString> {
    let mut reader =
        Reader { tree, command: tree, path: String::new(), operands: 0, words: Vec::new(), on: Vec::new() };
    let mut left = arguments.into_iter().peekable();
    reader.words.extend(left.next().map(Some));
    while let Some(word) = left.next() {
        let text = word.to_str().unwrap_or_default().to_owned();
        if text == "--" {
            reader.words.push(Some(word));
            break;
        }
        let takes_next = if let Some(flag) = text.strip_prefix("--") {
            reader.long(&word, flag, left.peek())
        } else if text.len() > 1 && text.starts_with('-') {
            reader.group(&word, &text, left.peek())
        } else {
            reader.operand(&word, &text);
            None
        };
        match takes_next {
            Some(Next::Value) => reader.words.extend(left.next().map(Some)),
            Some(Next::Nothing) => drop(left.next()),
            None => {}
        }
    }
    reader.words.into_iter().flatten().chain(left).collect()
}

/// How to treat the word after an option.
enum Next {
    /// It is the option's value.
    Value,
    /// It is an empty value, which is removed together with the option.
    Nothing,
}

struct Reader<'a> {
    tree: &'a Command,
    command: &'a Command,
    /// The command's full name, such as `jobs get`.
    path: String,
    operands: usize,
    words: Vec<Option<OsString>>,
    /// The switches that are on: the option, the index of the word, and the letter in a group.
    on: Vec<(&'a Arg, usize, Option<char>)>,
}

impl<'a> Reader<'a> {
    fn operand(&mut self, word: &OsString, text: &str) {
        match self.command.find_subcommand(text).filter(|_| self.operands == 0) {
            Some(command) => {
                self.command = command;
                let gap = if self.path.is_empty() { "" } else { " " };
                self.path = format!("{}{gap}{}", self.path, command.get_name());
            }
            None => self.operands += 1,
        }
        self.words.push(Some(word.clone()));
    }

    /// Handles a word that begins with two dashes.
    fn long(&mut self, word: &OsString, flag: &str, next: Option<&OsString>) -> Option<Next> {
        let (name, value) = flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)));
        let is_it = |option: &&Arg| {
            option.get_long() == Some(name) || option.get_all_aliases().is_some_and(|all| all.contains(&name))
        };
        let Some(option) = self.options().find(is_it) else {
            self.words.push(Some(word.clone()));
            return None;
        };
        if is_switch(option) {
            match value.map(env::parse_switch) {
                None | Some(Ok(true)) => {
                    self.on.push((option, self.words.len(), None));
                    self.words.push(Some(format!("--{name}").into()));
                }
                Some(Ok(false)) => self.switch_off(option),
                Some(Err(_)) => self.words.push(Some(word.clone())),
            }
            return None;
        }
        let takes_next = takes_value(option) && value.is_none();
        if takes_value(option) && self.may_be_empty(option) {
            if value == Some("") {
                return None;
            }
            if takes_next && next.is_some_and(|next| next.is_empty()) {
                return Some(Next::Nothing);
            }
        }
        self.words.push(Some(word.clone()));
        takes_next.then_some(Next::Value)
    }

    /// Handles a word with short flags.
    fn group(&mut self, word: &OsString, text: &str, next: Option<&OsString>) -> Option<Next> {
        let position = self.words.len();
        self.words.push(Some(word.clone()));
        let kept = |letters: &str| (letters != "-").then(|| OsString::from(letters));
        for (index, letter) in text.char_indices().skip(1) {
            let option = self.options().find(|option| option.get_short() == Some(letter))?;
            let rest = &text[index + letter.len_utf8()..];
            if is_switch(option) {
                match rest.strip_prefix('=').map(env::parse_switch) {
                    None => self.on.push((option, position, Some(letter))),
                    Some(Err(_)) => return None,
                    Some(Ok(true)) => {
                        self.on.push((option, position, Some(letter)));
                        self.words[position] = kept(&text[..index + letter.len_utf8()]);
                        return None;
                    }
                    Some(Ok(false)) => {
                        self.words[position] = kept(&text[..index]);
                        self.switch_off(option);
                        return None;
                    }
                }
            } else if takes_value(option) {
                let is_empty = rest == "=" || (rest.is_empty() && next.is_some_and(|next| next.is_empty()));
                if is_empty && self.may_be_empty(option) {
                    self.words[position] = kept(&text[..index]);
                    return rest.is_empty().then_some(Next::Nothing);
                }
                return rest.is_empty().then_some(Next::Value);
            } else if rest.starts_with('=') {
                return None;
            }
        }
        None
    }

    /// Returns the options of the command, including global ones.
    fn options(&self) -> impl Iterator<Item = &'a Arg> + use<'a> {
        let globals = self.tree.get_arguments().filter(|argument| argument.is_global_set());
        self.command.get_arguments().filter(|argument| !argument.is_positional()).chain(globals)
    }

    /// Removes a switch from everything before.
    fn switch_off(&mut self, option: &Arg) {
        for (on, position, letter) in &self.on {
            if on.get_id() != option.get_id() {
                continue;
            }
            let Some(word) = self.words[*position].take() else { continue };
            let Some(letter) = letter else { continue };
            let text = word.to_str().unwrap_or_default().replacen(*letter, "", 1);
            self.words[*position] = (text != "-").then(|| text.into());
        }
        self.on.retain(|(on, ..)| on.get_id() != option.get_id());
    }

    fn may_be_empty(&self, option: &Arg) -> bool {
        let name = option.get_id().as_str();
        if option.is_global_set() {
            return GLOBALS_MAY_BE_EMPTY.contains(&name);
        }
        MAY_BE_EMPTY.iter().any(|(command, names)| *command == self.path && names.contains(&name))
    }
}

fn is_switch(option: &Arg) -> bool {
    matches!(option.get_action(), ArgAction::SetTrue)
}

/// Whether the next word is the option's value. Options with an optional value require `=`.
fn takes_value(option: &Arg) -> bool {
    option.get_action().takes_values() && !option.is_require_equals_set()
}

#[cfg(test)]
mod tests {
    use super::super::help::HelpSize;
    use super::super::sized_command;
    use super::*;

    fn put(line: &str) -> String {
        let words = ["cec"].into_iter().chain(line.split(' ')).map(|word| if word == "_" { "" } else { word });
        let put = in_own_form(words.map(OsString::from).collect(), &sized_command(HelpSize::Short));
        let words = put.iter().skip(1).map(|word| word.to_str().expect("text"));
        words.map(|word| if word.is_empty() { "_" } else { word }).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn switches_take_a_value_and_the_last_one_counts() {
        for (line, expected) in [
            ("ls --raw=true x", "ls --raw x"),
            ("ls -r=1 x", "ls -r x"),
            ("ls -dr=T x", "ls -dr x"),
            ("ls --raw=false x", "ls x"),
            ("ls -r --raw=0 x", "ls x"),
            ("ls -dr -r=false x", "ls -d x"),
            ("ls --raw=false --raw x", "ls --raw x"),
            ("rm --force --force=f x", "rm x"),
            ("scp -nf=true a cells://b", "scp -nf a cells://b"),
            ("jobs delete --dry-run=TRUE --job-id x", "jobs delete --dry-run --job-id x"),
            ("meta get --all=true", "meta get --all"),
            ("update --dry_run=true", "update --dry_run"),
            // Anything but a switch with a valid value is not changed.
            ("ls --raw=perhaps x", "ls --raw=perhaps x"),
            ("ls --json=false x", "ls --json=false x"),
            ("ls -- --raw=true", "ls -- --raw=true"),
            ("--token --raw=true ls", "--token --raw=true ls"),
            ("--profile ls rm --raw=true", "--profile ls rm --raw=true"),
            ("nosuch --raw=true", "nosuch --raw=true"),
        ] {
            assert_eq!(put(line), expected, "{line}");
        }
    }

    #[test]
    fn every_switch_of_every_command_takes_a_value() {
        fn check(command: &Command, path: &str, count: &mut usize) {
            for option in command.get_arguments().filter(|option| is_switch(option)) {
                let Some(name) = option.get_long() else { continue };
                assert_eq!(put(&format!("{path} --{name}=true")).trim(), format!("{path} --{name}"));
                assert_eq!(put(&format!("{path} --{name} --{name}=false")), path);
                *count += 1;
            }
            for child in command.get_subcommands() {
                check(child, format!("{path} {}", child.get_name()).trim(), count);
            }
        }
        let mut count = 0;
        check(&sized_command(HelpSize::Short), "", &mut count);
        assert!(count > 60, "{count}");
    }

    #[test]
    fn empty_values_of_the_older_client_are_removed() {
        for (line, expected) in [
            ("ls -r --config _", "ls -r"),
            ("ls --url= x", "ls x"),
            ("-u U -t _ ls", "-u U ls"),
            ("ls -rt _ x", "ls -r x"),
            ("ls -t= x", "ls x"),
            ("--login _ --password _ info", "info"),
            ("jobs get --filter _", "jobs get"),
            ("ls --format _ x", "ls x"),
            ("version -f _", "version"),
            ("ls --log= --url _", "ls"),
            ("ls --profile= --jq _", "ls --profile= --jq _"),
            // Empty operands, and values that are not empty, are kept.
            ("ls _", "ls _"),
            ("find x --name _", "find x --name _"),
            ("idm user update carol --email _", "idm user update carol --email _"),
            ("--token a ls", "--token a ls"),
        ] {
            assert_eq!(put(line), expected, "{line}");
        }
    }

    #[test]
    fn the_names_of_options_that_may_be_empty_are_right() {
        for (path, names) in MAY_BE_EMPTY {
            let tree = sized_command(HelpSize::Short);
            let mut command = &tree;
            for name in path.split(' ') {
                command = command.find_subcommand(name).expect(path);
            }
            for name in *names {
                let option = command.get_arguments().find(|option| option.get_id() == name).expect(name);
                assert!(takes_value(option), "{path} {name}");
            }
        }
    }
}
