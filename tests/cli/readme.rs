//! README.md, followed to the letter: each `$` line of its consoles is run in a terminal, in order, and must print what
//! stands below it.

#![cfg(unix)]

use std::fs;
use std::path::Path;

use crate::support::World;

/// The server of the examples.
const SERVER: &str = "https://files.example.com";

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("README.md")
}

/// The commands of all consoles, each with what it prints.
fn examples(text: &str) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line.strip_prefix("$ ") {
            _ if line.starts_with("```") => inside = line == "```console",
            _ if !inside || line.is_empty() => {}
            Some(command) => found.push((command.to_owned(), Vec::new())),
            None => found.last_mut().expect("a command before its output").1.push(line.to_owned()),
        }
    }
    found
}

/// A line without what differs from run to run: times, lengths of time, ids, the widths of columns.
fn shape(line: &str) -> String {
    let is_hex = |word: &str| word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let one = |word: &str| -> String {
        let bare = word.trim_end_matches(',');
        let is_duration = bare.strip_suffix('s').is_some_and(|number| number.parse::<f64>().is_ok());
        match bare.rsplit_once("/public/") {
            Some((server, hash)) if is_hex(hash) => format!("{server}/public/HASH"),
            _ if is_duration => word.replace(bare, "TIME"),
            _ if bare.len() == 36 && is_hex(bare) => "UUID".to_owned(),
            _ => word.to_owned(),
        }
    };
    line.split_whitespace().map(one).collect::<Vec<_>>().join(" ")
}

/// What is left on a terminal in the end: progress is drawn over, and goes.
fn settled(screen: &str) -> String {
    let mut lines = vec![String::new()];
    let mut row = 0;
    let mut fresh = false;
    let mut rest = screen;
    while let Some(letter) = rest.chars().next() {
        rest = &rest[letter.len_utf8()..];
        match letter {
            '\n' => {
                row += 1;
                lines.resize(lines.len().max(row + 1), String::new());
            }
            '\r' => fresh = true,
            '\u{1b}' => {
                let end = rest.find(|letter: char| letter.is_ascii_alphabetic()).map_or(rest.len(), |end| end + 1);
                let sequence;
                (sequence, rest) = rest.split_at(end);
                match sequence.trim_start_matches('[').split_at_checked(sequence.len().saturating_sub(2)) {
                    Some((count, "A")) => row = row.saturating_sub(count.parse().unwrap_or(1)),
                    Some((_, "K")) => lines[row].clear(),
                    Some((_, "J")) => lines.truncate(row + 1),
                    _ => {}
                }
            }
            letter => {
                if std::mem::take(&mut fresh) {
                    lines[row].clear();
                }
                lines[row].push(letter);
            }
        }
    }
    lines.join("\n")
}

#[test]
fn a_screen_settles_as_on_a_terminal() {
    assert_eq!(settled("a\nb\n"), "a\nb\n");
    assert_eq!(settled("0/3\u{1b}[2K\r1/3\u{1b}[2K\rdone\n"), "done\n");
    assert_eq!(settled("0/3\nfile 7%\u{1b}[1A\r\u{1b}[2K\u{1b}[Jdone: \u{1b}[1mall\u{1b}[0m\n"), "done: all\n");
    assert_eq!(settled("one two\rdone"), "done");
}

/// Whether lines are those that are wanted; `…` stands for any number of lines.
fn fits(wanted: &[String], given: &[String]) -> bool {
    match wanted.split_first() {
        None => given.is_empty(),
        Some((first, rest)) if first == "…" => (0..=given.len()).any(|skip| fits(rest, &given[skip..])),
        Some((first, rest)) => given.split_first().is_some_and(|(line, lines)| line == first && fits(rest, lines)),
    }
}

#[test]
fn every_console_of_the_readme_shows_what_is_really_printed() {
    let world = World::new();
    let home = world.home();
    fs::create_dir_all(home.join("bin")).expect("a folder");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_cec"), home.join("bin/cec")).expect("a link");
    fs::create_dir_all(home.join("photos/2031")).expect("a folder");
    for (name, size) in
        [("report.pdf", 50_000), ("photos/2031/beach.jpg", 300_000), ("photos/2031/forest.jpg", 200_000)]
    {
        fs::write(home.join(name), vec![b'x'; size]).expect("a file");
    }
    fs::write(home.join("photos/.order"), "note\n").expect("a file");
    fs::write(home.join("token.txt"), world.sandbox.token("alice")).expect("a token");
    let path = format!("{}/bin:/usr/bin:/bin", home.display());
    let examples = examples(&readme());
    assert!(examples.len() >= 15, "{examples:?}");
    for (command, wanted) in examples {
        let line = command.replace(SERVER, world.url());
        let run = world.signed_out(["-c", line.as_str()]).program(Path::new("/bin/sh")).env("PATH", &path);
        // As on a machine where nothing stands in the way: no colours, a secret in its place.
        let run = run.env("NO_COLOR", "1").env("CEC_SKIP_KEYRING", "1").env("LC_ALL", "C").env("TZ", "UTC");
        let Some((_, screen)) = run.on_terminal(&[]) else { return };
        let shown = settled(&screen).replace("URL", SERVER);
        let given: Vec<String> = shown.lines().map(shape).filter(|line| !line.is_empty()).collect();
        let wanted: Vec<String> = wanted.iter().map(|line| shape(line)).collect();
        assert!(fits(&wanted, &given), "{command}\nREADME.md says:\n{wanted:#?}\nbut it prints:\n{shown}");
    }
}

#[test]
fn every_command_line_of_the_readme_and_of_the_guide_for_scripts_can_be_read() {
    let world = World::new();
    let home = world.home();
    // A program that only looks whether the real one can read the line: `--help` stands before what it would do.
    let stand_in = format!("#!/bin/sh\nexec '{}' \"$@\" --help > /dev/null\n", env!("CARGO_BIN_EXE_cec"));
    fs::create_dir_all(home.join("bin")).expect("a folder");
    fs::write(home.join("bin/cec"), stand_in).expect("a program");
    fs::set_permissions(home.join("bin/cec"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode");
    let path = format!("{}/bin:/usr/bin:/bin", home.display());
    let mut count = 0;
    for document in ["README.md", "docs/scripting.md", "docs/migration.md"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).expect(document);
        let blocks = text.split("```sh\n").skip(1).map(|block| block.split("```").next().expect("a block"));
        for line in blocks.flat_map(str::lines).filter(|line| line.trim_start().starts_with("cec ")) {
            let command = first_command(line.trim());
            let run = world.signed_out(["-c", command]).program(Path::new("/bin/sh")).env("PATH", &path).run();
            assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""), "{document}: {line}");
            count += 1;
        }
    }
    assert!(count >= 8, "{count} command lines");
}

/// What stands before the first sign outside of quotes that ends a command.
fn first_command(line: &str) -> &str {
    let mut quote = None;
    for (index, letter) in line.char_indices() {
        match quote {
            Some(open) if letter == open => quote = None,
            Some(_) => {}
            None if letter == '\'' || letter == '"' => quote = Some(letter),
            None if "|>;#&".contains(letter) => return &line[..index],
            None => {}
        }
    }
    line
}
