//! Determines what can be completed at the cursor: a pure function of the command tree and the words typed so far.

use clap::{Arg, Command};

use crate::commands::verb::Completion;

/// A candidate and its description.
pub type Candidate = (String, String);

/// The possible candidates at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Candidates {
    /// These words.
    Words(Vec<Candidate>),
    /// Paths of this kind.
    Paths(Completion),
}

/// The analysis of a command line up to the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The possible candidates.
    pub candidates: Candidates,
    /// The part of the word before the completed value, such as `--sort=`.
    pub before: String,
    /// The value so far.
    pub typed: String,
    /// The global options of the command line, which determine the account.
    pub globals: Vec<String>,
}

/// Analyzes the words before the cursor, without the program's name, and the word at the cursor.
pub fn question(tree: &Command, words: &[String], current: &str) -> Question {
    let mut tree = tree.clone();
    tree.build();
    let mut reader =
        Reader { command: &tree, positionals: 0, value_of: None, only_operands: false, globals: Vec::new() };
    words.iter().for_each(|word| reader.take(word));
    let (before, typed, candidates) = reader.at_cursor(current);
    Question { candidates, before, typed, globals: reader.globals }
}

struct Reader<'a> {
    command: &'a Command,
    positionals: usize,
    /// The option that the next word is the value of.
    value_of: Option<&'a Arg>,
    /// Whether `--` came before.
    only_operands: bool,
    globals: Vec<String>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, word: &str) {
        if let Some(option) = self.value_of.take() {
            self.keep(option, word);
        } else if !self.only_operands && word == "--" {
            self.only_operands = true;
        } else if !self.only_operands && word.len() > 1 && word.starts_with('-') {
            self.take_option(word);
        } else if let Some(child) = self.command.find_subcommand(word).filter(|_| self.positionals == 0) {
            self.command = child;
        } else {
            self.positionals += 1;
        }
    }

    fn take_option(&mut self, word: &str) {
        let option = match word.strip_prefix("--") {
            Some(long) => self.long(long.split('=').next().unwrap_or_default()),
            None => word.chars().last().and_then(|last| self.short(last)),
        };
        let Some(option) = option else { return };
        self.keep(option, word);
        let takes_next = option.get_action().takes_values() && !option.is_require_equals_set() && !word.contains('=');
        self.value_of = takes_next.then_some(option);
    }

    fn keep(&mut self, option: &Arg, word: &str) {
        if option.is_global_set() {
            self.globals.push(word.to_owned());
        }
    }

    fn long(&self, name: &str) -> Option<&'a Arg> {
        self.command.get_arguments().find(|option| {
            option.get_long() == Some(name) || option.get_all_aliases().is_some_and(|all| all.contains(&name))
        })
    }

    fn short(&self, letter: char) -> Option<&'a Arg> {
        self.command.get_arguments().find(|option| option.get_short() == Some(letter))
    }

    fn at_cursor(&self, current: &str) -> (String, String, Candidates) {
        let whole = |wanted| (String::new(), current.to_owned(), wanted);
        if let Some(option) = self.value_of {
            return whole(self.value(option, current));
        }
        if !self.only_operands && current.starts_with('-') {
            return match current.split_once('=') {
                Some((name, value)) => {
                    let option = self.long(name.trim_start_matches('-'));
                    let wanted = option.map_or(Candidates::Words(Vec::new()), |option| self.value(option, value));
                    (format!("{name}="), value.to_owned(), wanted)
                }
                None => whole(self.options(current)),
            };
        }
        if self.positionals == 0 && self.command.has_subcommands() {
            let children = self.command.get_subcommands().filter(|child| !child.is_hide_set());
            let words = children.map(|child| (child.get_name().to_owned(), first_line(child.get_about())));
            let words: Vec<Candidate> = words.filter(|(name, _)| name.starts_with(current)).collect();
            if !words.is_empty() || self.command.get_positionals().next().is_none() {
                return whole(Candidates::Words(words));
            }
        }
        let positionals: Vec<&Arg> = self.command.get_positionals().collect();
        match positionals.get(self.positionals).or(positionals.last()) {
            Some(operand) => whole(self.value(operand, current)),
            None => whole(Candidates::Words(Vec::new())),
        }
    }

    fn options(&self, current: &str) -> Candidates {
        let shown = self.command.get_arguments().filter(|option| !option.is_hide_set());
        let words =
            shown.filter_map(|option| Some((format!("--{}", option.get_long()?), first_line(option.get_help()))));
        Candidates::Words(words.filter(|(name, _)| name.starts_with(current)).collect())
    }

    fn value(&self, of: &Arg, typed: &str) -> Candidates {
        let values = of.get_possible_values();
        if !values.is_empty() {
            let shown = values.iter().filter(|value| !value.is_hide_set() && value.get_name().starts_with(typed));
            return Candidates::Words(
                shown.map(|value| (value.get_name().to_owned(), first_line(value.get_help()))).collect(),
            );
        }
        Completion::of(of).map_or(Candidates::Words(Vec::new()), Candidates::Paths)
    }
}

/// Returns the first line of a help text.
fn first_line(help: Option<&clap::builder::StyledStr>) -> String {
    help.map(ToString::to_string).and_then(|text| text.lines().next().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(words: &[&str], current: &str) -> Question {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        question(&crate::cli::command(), &words, current)
    }

    fn names(question: Question) -> Vec<String> {
        let Candidates::Words(words) = question.candidates else { panic!("{question:?}") };
        words.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn commands_options_and_values_are_known() {
        assert_eq!(names(ask(&[], "sc")), ["scp"]);
        assert_eq!(names(ask(&["tools", "version"], "isr")), ["isrelease"]);
        assert_eq!(names(ask(&["ls"], "--sor")), ["--sort"]);
        assert_eq!(names(ask(&["ls", "--sort"], "s")), ["size"]);
        let joined = ask(&["ls"], "--sort=s");
        assert_eq!((joined.before.as_str(), joined.typed.as_str()), ("--sort=", "s"));
        assert_eq!(names(joined), ["size"]);
        assert!(names(ask(&[], "__")).is_empty(), "what is hidden stays so");
        assert!(names(ask(&["nosuch"], "x")).is_empty());
    }

    #[test]
    fn operands_are_paths_of_the_right_side() {
        assert_eq!(ask(&["ls"], "common").candidates, Candidates::Paths(Completion::Remote));
        assert_eq!(ask(&["rm", "-f", "a"], "b").candidates, Candidates::Paths(Completion::Remote));
        assert_eq!(ask(&["rm", "--"], "-x").candidates, Candidates::Paths(Completion::Remote));
        assert_eq!(ask(&["scp", "-f", "a"], "").candidates, Candidates::Paths(Completion::RemoteOrLocal));
        assert_eq!(ask(&["tools", "hash"], "").candidates, Candidates::Paths(Completion::LocalFile));
        assert_eq!(ask(&["ls", "--config"], "").candidates, Candidates::Paths(Completion::LocalFolder));
    }

    #[test]
    fn the_account_of_the_line_is_used() {
        let question = ask(&["-u", "https://x", "ls", "--profile", "work", "--json", "-d"], "a");
        assert_eq!(question.globals, ["-u", "https://x", "--profile", "work", "--json"]);
        assert_eq!(question.candidates, Candidates::Paths(Completion::Remote));
    }
}
