//! The import directions of the rooms in `src/`, and what engines must not touch. docs/architecture.md says why.
//!
//! A scan of the text: comments, strings and lifetimes are blanked, then every path of every `use` tree and every path
//! written in place is taken to where it leads, `super::` and nested modules included. What a macro makes up is not
//! seen.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms, and the rooms that each may name besides itself. A room that is not here fails the check.
const ROOMS: &[(&str, &[&str])] = &[
    // The ground: they know nobody, and not each other.
    ("account", &[]),
    ("env", &[]),
    ("hash", &[]),
    ("path", &[]),
    ("sys", &[]),
    ("settings", &["account", "env", "path"]),
    // The tower: each sees all that is below it.
    ("http", GROUND),
    ("store", &["http", "account", "hash", "path", "sys"]),
    ("auth", &["store", "http", "account", "hash", "path", "sys"]),
    ("failure", &["auth", "http"]),
    ("api", &["failure", "auth", "store", "http", "account", "hash", "path", "sys"]),
    ("s3", &["failure", "auth", "store", "http", "account", "hash", "path", "sys"]),
    ("walk", &["api", "s3", "failure", "auth", "store", "http", "account", "hash", "path", "sys"]),
    ("transfer", &["walk", "api", "s3", "failure", "auth", "store", "http", "account", "hash", "path", "sys"]),
    ("ui", &["settings", "walk", "api", "s3", "failure", "auth", "store", "http", "account", "hash", "path", "sys"]),
    ("error", BELOW_CONTEXT),
    ("credentials", BELOW_CREDENTIALS),
    ("context", BELOW_COMMANDS),
    (
        "commands",
        &[
            "context",
            "credentials",
            "error",
            "env",
            "settings",
            "ui",
            "transfer",
            "walk",
            "api",
            "s3",
            "failure",
            "auth",
            "store",
            "http",
            "account",
            "hash",
            "path",
            "sys",
        ],
    ),
    (
        "cli",
        &[
            "commands",
            "context",
            "credentials",
            "error",
            "env",
            "settings",
            "ui",
            "transfer",
            "walk",
            "api",
            "s3",
            "failure",
            "auth",
            "store",
            "http",
            "account",
            "hash",
            "path",
            "sys",
        ],
    ),
    ("lib", &["*"]),
    ("main", &["lib"]),
];

const GROUND: &[&str] = &["account", "hash", "path", "sys"];

const BELOW_CONTEXT: &[&str] = &[
    "env", "settings", "ui", "transfer", "walk", "api", "s3", "failure", "auth", "store", "http", "account", "hash",
    "path", "sys",
];

/// It gives values: the clients are made of them above.
const BELOW_CREDENTIALS: &[&str] = &["error", "env", "settings", "ui", "auth", "path", "sys"];

const BELOW_COMMANDS: &[&str] = &[
    "credentials",
    "error",
    "env",
    "settings",
    "ui",
    "transfer",
    "walk",
    "api",
    "s3",
    "auth",
    "store",
    "http",
    "account",
    "hash",
    "path",
    "sys",
];

/// Imports against the directions: the module that may, what it may name and all inside that, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("ui::progress", "transfer::event", "it implements the engine's Observer"),
    ("ui::progress", "transfer::event::Reason", "a part of what the Observer is told"),
    ("ui::progress", "transfer::TransferError", "a part of what the Observer is told"),
    ("ui::progress", "error::Kind", "the record of a failed file tells its exit code"),
    ("ui", "error::CliError", "the screen shows errors; how they read is up to `error`"),
];

/// What only some rooms may touch: the ends of paths (or a macro's name with its `!`), and the rooms or modules.
const RESERVED: &[(&[&str], &[&str])] = &[
    (&["print!", "println!", "eprint!", "eprintln!", "dbg!"], &["ui"]),
    (&["process::exit", "process::abort"], &["sys::signal"]),
    (
        &["std::env", "env::var", "env::var_os", "env::vars", "env::vars_os", "env::args", "env::args_os"],
        &["env", "main"],
    ),
    (&["io::stdin", "tokio::io::stdin"], &["ui", "commands", "cli", "main"]),
    // The screen escapes what could act on a terminal. `cli` writes help and the log, and escapes by itself.
    (&["io::stdout", "io::stderr", "tokio::io::stdout", "tokio::io::stderr"], &["ui", "cli"]),
];

/// The only files that may write bytes as they are: contents, answers of `cec api`, scripts, and names that end in NUL.
const RAW: &[&str] = &[
    "src/ui/mod.rs",
    "src/commands/api/mod.rs",
    "src/commands/shared/transfers.rs",
    "src/commands/completion/mod.rs",
    "src/commands/find.rs",
    "src/commands/ls/show.rs",
    "src/commands/search.rs",
    "src/commands/version.rs",
];

/// Rooms whose files import each other in one direction only.
const WITHOUT_CIRCLE: &[&str] = &["auth", "context", "credentials"];

/// Rooms that say what is wrong, and not what to type.
const MUTE: &[&str] = &["account", "hash", "sys", "http", "store", "auth", "failure", "api", "s3", "walk"];

/// A file this long, tests not counted, is told of; one beyond the second limit fails the check.
const LONG_FILE: usize = 600;
const TOO_LONG_FILE: usize = 900;

#[test]
fn rooms_import_only_downwards() {
    let sources = sources("src");
    let mut faults: Vec<String> = sources.iter().flat_map(import_faults).collect();
    for (room, _) in ROOMS {
        if !sources.iter().any(|source| source.room() == *room) {
            faults.push(format!("tests/layers.rs: there is no room '{room}' any more"));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_files_of_a_room_import_no_circle() {
    for room in WITHOUT_CIRCLE {
        let sources: Vec<Source> = sources("src").into_iter().filter(|source| source.room() == *room).collect();
        assert!(sources.len() > 1, "there is no room '{room}' of several files any more");
        let circle = circle(&sources);
        assert!(circle.is_empty(), "the files of '{room}' import each other in a circle: {circle:?}");
    }
    let both = [("src/a/x.rs", "use super::y::Y;"), ("src/a/y.rs", "fn f() { crate::a::x::g(); }")];
    let both = both.map(|(name, text)| Source::scan(name, text));
    assert_eq!(circle(&both), BTreeSet::from(["a::x".to_owned(), "a::y".to_owned()]));
    assert!(circle(&both[..1]).is_empty());
}

/// The modules that import each other in a circle, or import one that does.
fn circle(sources: &[Source]) -> BTreeSet<String> {
    let modules: Vec<String> = sources.iter().map(|source| source.module.join("::")).collect();
    let imports_of = |source: &Source| -> BTreeSet<String> {
        let targets = source.paths.iter().filter_map(|found| found.inside_crate(source.room()));
        let module = |target: &[String]| {
            let outer = modules.iter().filter(|module| inside(&target.join("::"), module));
            outer.max_by_key(|module| module.len()).cloned()
        };
        targets.filter_map(module).filter(|module| *module != source.module.join("::")).collect()
    };
    let mut left: Vec<(String, BTreeSet<String>)> =
        modules.iter().cloned().zip(sources.iter().map(imports_of)).collect();
    loop {
        // What imports nothing that is left is in no circle.
        let open: BTreeSet<String> = left.iter().map(|(module, _)| module.clone()).collect();
        let before = left.len();
        left.retain(|(_, imports)| imports.iter().any(|import| open.contains(import)));
        if left.len() == before {
            return left.into_iter().map(|(module, _)| module).collect();
        }
    }
}

#[test]
fn low_rooms_do_not_know_the_command_line() {
    let mut faults = Vec::new();
    for (name, text) in texts("src").iter().filter(|(name, _)| MUTE.contains(&module_of(name)[0].as_str())) {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default().lines().enumerate();
        for (number, line) in code.filter(|(_, line)| !line.trim_start().starts_with("//")) {
            let names_option = line.split("--").skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
            if line.contains('"') && (names_option || line.contains("'cec ") || line.contains("\"cec ")) {
                faults.push(format!("{name}:{}: advice to a user is up to `error`", number + 1));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn engines_are_mute() {
    let mut faults = Vec::new();
    for source in sources("src") {
        faults.extend(reserved_faults(&source));
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn what_is_shown_goes_through_the_screen() {
    let mut faults = Vec::new();
    for (name, text) in texts("src") {
        for (number, line) in text.lines().enumerate() {
            if line.contains("ui.bytes(") && !RAW.contains(&name.as_str()) {
                faults.push(format!("{name}:{}: writes bytes as they are; lines are for Ui::line", number + 1));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn command_lines_are_quoted() {
    let faults: Vec<String> = texts("src").iter().flat_map(|(name, text)| unquoted_faults(name, text)).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    for line in ["hint(format!(\"run: cec mv '{a}' b\"))", "\"cec rm {path}\"", "format!(\"'cec du -s {} x\", y)"] {
        assert_eq!(unquoted_faults("src/x.rs", line).len(), 1, "{line}");
    }
    for line in [
        "\"cec ls --format '{{.Name}}' x\"",
        "command_line(\"cec mv\", &[a])",
        "// cec mv {a}",
        "\"cec get '{\\\"a\\\"}'\"",
    ] {
        assert!(unquoted_faults("src/x.rs", line).is_empty(), "{line}");
    }
}

/// Words after the program's name in sentences about it.
const PROSE: &[&str] = &["can", "is"];

/// Command lines of this program that hold a value which `path::shell` has not quoted.
fn unquoted_faults(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
        let shown = line.replace("\\\"", "\u{1}");
        for (at, _) in shown.match_indices("cec ") {
            let before = shown[..at].chars().next_back().unwrap_or('"');
            let rest = shown[at..].split('"').next().unwrap_or_default();
            let holds = |word: &str| {
                let value = word.trim_start_matches('\'').strip_prefix('{');
                value.is_some_and(|value| !value.starts_with(['{', '\u{1}']))
            };
            let verb = rest.split(' ').nth(1).unwrap_or_default();
            let is_command = verb.starts_with(|first: char| first.is_ascii_lowercase()) && !PROSE.contains(&verb);
            if !is_word(before) && is_command && rest.split(' ').skip(2).any(holds) {
                faults.push(format!("{name}:{}: a value in a command line that is not quoted", number + 1));
            }
        }
    }
    faults
}

/// The sources below a folder as they are, by their names.
fn texts(folder: &str) -> Vec<(String, String)> {
    let text = |name: &str| fs::read_to_string(root().join(name)).expect("a source");
    sources(folder).into_iter().map(|source| (source.name.clone(), text(&source.name))).collect()
}

#[test]
fn the_sandbox_knows_nothing_of_the_client() {
    let mut faults = Vec::new();
    for source in sources("sandbox/src").into_iter().chain(sources("sandbox/tests")) {
        for found in &source.paths {
            if found.path.first().is_some_and(|first| first == "cec") {
                faults.push(format!("{}:{}: the sandbox names {}", source.name, found.line, found.path.join("::")));
            }
        }
    }
    let manifest = fs::read_to_string(root().join("sandbox/Cargo.toml")).expect("the sandbox's manifest");
    for (number, line) in manifest.lines().enumerate() {
        let depends = line.starts_with("cec ") || line.starts_with("cec.") || line.starts_with("cec=");
        if depends || line.contains("package = \"cec\"") {
            faults.push(format!("sandbox/Cargo.toml:{}: the sandbox depends on the client", number + 1));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn files_stay_small() {
    let mut faults = Vec::new();
    for source in sources("src").into_iter().chain(sources("sandbox/src")) {
        let lines = source.lines_without_tests;
        if lines > TOO_LONG_FILE {
            faults.push(format!("{} has {lines} lines without tests; {TOO_LONG_FILE} is too many", source.name));
        } else if lines > LONG_FILE {
            println!("warning: {} has {lines} lines without tests; {LONG_FILE} is the aim", source.name);
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// What is wrong with the imports of a file.
fn import_faults(source: &Source) -> Vec<String> {
    let room = source.room();
    let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
        return vec![format!("{}: the room '{room}' has no line in the table of tests/layers.rs", source.name)];
    };
    let module = source.module.join("::");
    let mut faults = BTreeSet::new();
    for found in &source.paths {
        let Some(target) = found.inside_crate(room) else { continue };
        let Some(other) = target.first() else {
            if room != "lib" {
                faults.insert((found.line, "the whole crate".to_owned()));
            }
            continue;
        };
        let full = target.join("::");
        // Names of the root itself: its functions, and what is above every room.
        let other = if ROOMS.iter().any(|(name, _)| name == other) { other.as_str() } else { "lib" };
        let excepted = || EXCEPTIONS.iter().any(|(from, what, _)| inside(&found.module, from) && inside(&full, what));
        if other != room && !allowed.contains(&"*") && !allowed.contains(&other) && !excepted() {
            faults.insert((found.line, full));
        }
    }
    let mut list = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
    for (from, what, _) in EXCEPTIONS {
        if inside(&module, from) {
            let _ = write!(list, ", {what}");
        }
    }
    let told = |(line, what)| format!("{}:{line}: '{room}' imports {what}; it may import {list}", source.name);
    faults.into_iter().map(told).collect()
}

/// What a file touches that is reserved for other rooms.
fn reserved_faults(source: &Source) -> Vec<String> {
    let module = source.module.join("::");
    let mut faults = BTreeSet::new();
    for found in &source.paths {
        let full = found.path.join("::");
        // What the build was made for is no environment.
        if inside(&full, "std::env::consts") {
            continue;
        }
        for (names, rooms) in RESERVED {
            let named = |name: &&str| match name.strip_suffix('!') {
                Some(_) => found.path.last().is_some_and(|last| last == name),
                None => full == **name || full.ends_with(&format!("::{name}")),
            };
            if names.iter().any(named) && !rooms.iter().any(|room| inside(&module, room)) {
                let rooms = rooms.join(", ");
                faults.insert((found.line, format!("{full} is for {rooms} alone")));
            }
        }
    }
    faults.into_iter().map(|(line, what)| format!("{}:{line}: {what}", source.name)).collect()
}

/// Whether a path is `outer` or something in it.
fn inside(path: &str, outer: &str) -> bool {
    path == outer || path.strip_prefix(outer).is_some_and(|rest| rest.starts_with("::"))
}

/// A source file, scanned.
struct Source {
    /// Its path from the project's root, with slashes.
    name: String,
    /// The module that it is, from the crate's root; `lib` and `main` for the roots.
    module: Vec<String>,
    paths: Vec<Found>,
    lines_without_tests: usize,
}

/// A path in a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    line: usize,
    /// As far as it can be told from the text: from the crate's root behind a first `crate`, else as written.
    path: Vec<String>,
    /// The module that it is in, inline ones included.
    module: String,
}

impl Found {
    /// The path from the crate's root, if it leads into the crate.
    fn inside_crate(&self, room: &str) -> Option<&[String]> {
        let (first, rest) = self.path.split_first()?;
        // The program sees the library as a crate of its own; a root names its rooms without `crate`.
        let root = first == "crate" || first == "cec";
        let bare = room == "lib" && ROOMS.iter().any(|(name, _)| name == first);
        if root { Some(rest) } else { bare.then_some(self.path.as_slice()) }
    }
}

impl Source {
    fn scan(name: &str, text: &str) -> Self {
        let module = module_of(name);
        let tokens = tokens(&blanked(text));
        let in_crate = if matches!(name, "src/lib.rs" | "src/main.rs") { &[][..] } else { &module[..] };
        let paths =
            Scanner { tokens: &tokens, at: 0, depth: 0, modules: Vec::new(), file: in_crate, found: Vec::new() };
        let of_tests = module.iter().any(|part| part == "tests");
        let lines_without_tests = if of_tests { 0 } else { text.lines().count().saturating_sub(test_lines(&tokens)) };
        Self { name: name.to_owned(), paths: paths.run(), module, lines_without_tests }
    }

    fn room(&self) -> &str {
        self.module.first().map_or("lib", String::as_str)
    }
}

/// `src/api/tree.rs` → `api::tree`; `src/api/mod.rs` and `src/api.rs` → `api`.
fn module_of(name: &str) -> Vec<String> {
    let path = name.split_once("src/").map_or(name, |(_, rest)| rest).trim_end_matches(".rs");
    let mut parts: Vec<String> = path.split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All source files below a folder of the project; none where there is no such folder.
fn sources(folder: &str) -> Vec<Source> {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut waiting = vec![root().join(folder)];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    let scan = |path: PathBuf| {
        let name = path.strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/");
        Source::scan(&name, &fs::read_to_string(&path).expect("a source file"))
    };
    files.into_iter().map(scan).collect()
}

/// The text with comments, strings, characters and lifetimes replaced by blanks; lines stay where they are.
fn blanked(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let at = |index: usize| characters.get(index).copied().unwrap_or('\0');
    let mut out = String::with_capacity(text.len());
    let mut index = 0;
    while index < characters.len() {
        let word_before = index > 0 && is_word(at(index - 1));
        let end = match at(index) {
            '/' if at(index + 1) == '/' => (index..characters.len()).find(|&next| at(next) == '\n'),
            '/' if at(index + 1) == '*' => end_of_block_comment(&characters, index),
            '"' => end_of_string(&characters, index),
            'r' | 'b' | 'c' if !word_before => match raw_string(&characters, index) {
                Some(end) => end,
                None => {
                    out.push(at(index));
                    index += 1;
                    continue;
                }
            },
            '\'' => Some(end_of_quote(&characters, index)),
            other => {
                out.push(other);
                index += 1;
                continue;
            }
        };
        let end = end.unwrap_or(characters.len());
        out.extend((index..end).map(|next| if at(next) == '\n' { '\n' } else { ' ' }));
        index = end;
    }
    out
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn end_of_block_comment(characters: &[char], start: usize) -> Option<usize> {
    let mut depth = 0;
    let mut index = start;
    while index + 1 < characters.len() {
        match (characters[index], characters[index + 1]) {
            ('/', '*') => (depth, index) = (depth + 1, index + 2),
            ('*', '/') => {
                (depth, index) = (depth - 1, index + 2);
                if depth == 0 {
                    return Some(index);
                }
            }
            _ => index += 1,
        }
    }
    None
}

fn end_of_string(characters: &[char], quote: usize) -> Option<usize> {
    let mut index = quote + 1;
    while index < characters.len() {
        match characters[index] {
            '\\' => index += 2,
            '"' => return Some(index + 1),
            _ => index += 1,
        }
    }
    None
}

/// The end of a raw string that starts here (the inner `None`: it never ends); the outer `None`: it is none.
fn raw_string(characters: &[char], start: usize) -> Option<Option<usize>> {
    let at = |index: usize| characters.get(index).copied().unwrap_or('\0');
    let mut index = start;
    if matches!(at(index), 'b' | 'c') {
        index += 1;
    }
    if at(index) != 'r' {
        return None;
    }
    let hashes = (index + 1..).take_while(|&next| at(next) == '#').count();
    let quote = index + 1 + hashes;
    if at(quote) != '"' {
        return None;
    }
    let closes = |&next: &usize| at(next) == '"' && (1..=hashes).all(|offset| at(next + offset) == '#');
    Some((quote + 1..characters.len()).find(closes).map(|end| end + 1 + hashes))
}

/// The end of a character or of a lifetime.
fn end_of_quote(characters: &[char], quote: usize) -> usize {
    let at = |index: usize| characters.get(index).copied().unwrap_or('\0');
    if at(quote + 1) == '\\' {
        let closing = (quote + 3..characters.len()).find(|&next| at(next) == '\'');
        return closing.map_or(characters.len(), |end| end + 1);
    }
    if at(quote + 2) == '\'' {
        return quote + 3;
    }
    (quote + 1..characters.len()).find(|&next| !is_word(at(next))).unwrap_or(characters.len())
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    line: usize,
    text: String,
}

/// Words, `::`, and single characters for the rest.
fn tokens(blanked: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (number, text) in blanked.lines().enumerate() {
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if is_word(first) {
                rest.find(|character| !is_word(character)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            let (token, after) = rest.split_at(length);
            tokens.push(Token { line: number + 1, text: token.to_owned() });
            rest = after.trim_start();
        }
    }
    tokens
}

/// How many lines belong to inline modules called `tests` and their attributes.
fn test_lines(tokens: &[Token]) -> usize {
    let texts: Vec<&str> = tokens.iter().map(|token| token.text.as_str()).collect();
    let mut lines = 0;
    let mut index = 0;
    while index < tokens.len() {
        if texts[index..].starts_with(&["mod", "tests", "{"]) {
            let from = tokens[index].line;
            let mut depth = 0;
            while let Some(token) = tokens.get(index) {
                match token.text.as_str() {
                    "{" => depth += 1,
                    "}" if depth == 1 => {
                        // With the attribute above.
                        lines += token.line - from + 2;
                        break;
                    }
                    "}" => depth -= 1,
                    _ => {}
                }
                index += 1;
            }
        }
        index += 1;
    }
    lines
}

/// Finds the paths of one file.
struct Scanner<'a> {
    tokens: &'a [Token],
    at: usize,
    depth: usize,
    /// The inline modules that are open, with the depth of braces in each.
    modules: Vec<(String, usize)>,
    /// The module that the file is, from the crate's root.
    file: &'a [String],
    found: Vec<Found>,
}

impl Scanner<'_> {
    fn run(mut self) -> Vec<Found> {
        while self.at < self.tokens.len() {
            match self.text(0) {
                // Not the `use<…>` of a return type.
                "use" if self.text(1) != "<" => {
                    self.at += 1;
                    self.tree(&[]);
                }
                "mod" if self.text(2) == "{" => {
                    self.depth += 1;
                    self.modules.push((self.text(1).to_owned(), self.depth));
                    self.at += 3;
                }
                "{" => {
                    self.depth += 1;
                    self.at += 1;
                }
                "}" => {
                    if self.modules.last().is_some_and(|(_, depth)| *depth == self.depth) {
                        self.modules.pop();
                    }
                    self.depth = self.depth.saturating_sub(1);
                    self.at += 1;
                }
                _ => self.in_place(),
            }
        }
        self.found
    }

    fn text(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", |token| token.text.as_str())
    }

    fn is_name(&self) -> bool {
        self.text(0).starts_with(is_word)
    }

    /// A path that is written where it is used, and a macro's name.
    fn in_place(&mut self) {
        if !self.is_name() {
            self.at += 1;
            return;
        }
        let line = self.tokens[self.at].line;
        let mut path = vec![self.text(0).to_owned()];
        self.at += 1;
        while self.text(0) == "::" && self.text(1).starts_with(is_word) {
            path.push(self.text(1).to_owned());
            self.at += 2;
        }
        let called = self.text(0) == "!" && self.text(1) != "=";
        if called && let Some(last) = path.last_mut() {
            last.push('!');
        }
        if path.len() > 1 || called {
            self.add(line, &path);
        }
    }

    /// The rest of a `use` tree behind `prefix`, up to the comma, brace or semicolon that ends it.
    fn tree(&mut self, prefix: &[String]) {
        let mut path = prefix.to_vec();
        let mut line = self.tokens.get(self.at).map_or(0, |token| token.line);
        loop {
            match self.text(0) {
                "{" => {
                    self.at += 1;
                    while !matches!(self.text(0), "}" | ";" | "") {
                        self.tree(&path);
                        if self.text(0) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                "," | "}" | ";" | "" => {
                    self.add(line, &path);
                    return;
                }
                // The new name says nothing about what is imported.
                "as" => self.at += 2,
                "*" | "::" => self.at += 1,
                name => {
                    line = self.tokens[self.at].line;
                    if name != "self" || path.is_empty() {
                        path.push(name.to_owned());
                    }
                    self.at += 1;
                }
            }
        }
    }

    /// Notes a path, with `self` and `super` at its start taken to where they lead.
    fn add(&mut self, line: usize, path: &[String]) {
        let here = self.file.iter().chain(self.modules.iter().map(|(name, _)| name));
        let mut place: Vec<String> = here.cloned().collect();
        let module = place.join("::");
        let mut rest = path;
        let relative = rest.first().is_some_and(|first| first == "self" || first == "super");
        while let Some((first, others)) = rest.split_first() {
            match first.as_str() {
                "self" => {}
                "super" => drop(place.pop()),
                _ => break,
            }
            rest = others;
        }
        let path = if relative { [&["crate".to_owned()], place.as_slice(), rest].concat() } else { path.to_vec() };
        self.found.push(Found { line, path, module });
    }
}

mod the_scanner {
    use super::*;

    fn found(name: &str, text: &str) -> Vec<(usize, String)> {
        Source::scan(name, text).paths.iter().map(|found| (found.line, found.path.join("::"))).collect()
    }

    fn imports(name: &str, text: &str) -> Vec<String> {
        import_faults(&Source::scan(name, text))
    }

    fn reserved(name: &str, text: &str) -> usize {
        reserved_faults(&Source::scan(name, text)).len()
    }

    #[test]
    fn reads_nested_groups_over_lines() {
        let text = "use crate::{\n    s3,\n    api::{self, error::{ApiError as Error, Cause}, *},\n};\n";
        let expected = [
            (2, "crate::s3"),
            (3, "crate::api"),
            (3, "crate::api::error::ApiError"),
            (3, "crate::api::error::Cause"),
            (3, "crate::api"),
        ];
        assert_eq!(found("src/walk/x.rs", text), expected.map(|(line, path)| (line, path.to_owned())));
    }

    #[test]
    fn follows_super_through_files_and_inline_modules() {
        let text = "use super::Node;\nuse super::super::http::Http;\nmod tests {\n    use super::*;\n    use super::super::page;\n    \
            fn f() { super::super::super::ui::say() }\n}\nfn g() { super::h() }\n";
        let expected = [
            (1, "crate::api::Node"),
            (2, "crate::http::Http"),
            (4, "crate::api::tree"),
            (5, "crate::api::page"),
            (6, "crate::ui::say"),
            (8, "crate::api::h"),
        ];
        assert_eq!(found("src/api/tree.rs", text), expected.map(|(line, path)| (line, path.to_owned())));
    }

    #[test]
    fn a_captured_lifetime_is_no_import() {
        let text = "fn f<'a>(x: &'a str) -> impl Iterator<Item = u8> + use<'a> { crate::ui::a(); }";
        assert_eq!(found("src/api/tree.rs", text), [(1, "crate::ui::a".to_owned())]);
    }

    #[test]
    fn comments_strings_characters_and_lifetimes_are_not_code() {
        let text = "//! crate::ui::a\n/* crate::ui::b /* nested */ crate::ui::c */\nfn f<'a>(x: &'a str) -> char {\n\
            \"crate::ui::d \\\" crate::ui::e\"; r#\"crate::ui::\"f\"#; b\"crate::ui::g\"; '\"'; '\\''; '\\u{22}'; crate::ui::h }\n";
        assert_eq!(found("src/api/tree.rs", text), [(4, "crate::ui::h".to_owned())]);
    }

    #[test]
    fn upward_and_sideways_imports_are_faults_with_their_place() {
        let faults = imports("src/api/tree.rs", "use crate::path::RemotePath;\n\nuse crate::{auth, s3::Client};\n");
        assert_eq!(faults.len(), 1);
        assert!(
            faults[0].starts_with("src/api/tree.rs:3: 'api' imports s3::Client; it may import failure, auth, "),
            "{faults:?}"
        );
        for (name, text) in [
            ("src/s3/mod.rs", "use crate::api::Node;"),
            ("src/api/mod.rs", "fn f() { let x = crate::ui::human::size(1); }"),
            ("src/api/tree.rs", "fn f(x: super::super::settings::Settings) {}"),
            ("src/walk/mod.rs", "use crate::transfer::Engine;"),
            ("src/transfer/run.rs", "use crate::ui::Ui;"),
            ("src/transfer/run.rs", "use crate::error::CliError;"),
            ("src/http/mod.rs", "use crate::auth;"),
            ("src/account.rs", "use crate::path::RemotePath;"),
            ("src/settings.rs", "use crate::http::HttpOptions;"),
            ("src/ui/table.rs", "use crate::transfer::event::Observer;"),
            ("src/ui/progress.rs", "use crate::transfer::Engine;"),
            ("src/ui/progress.rs", "use crate::transfer::plan::step::Step;"),
            ("src/ui/mod.rs", "use crate::error::Kind;"),
            ("src/context/mod.rs", "use crate::commands::scp;"),
            ("src/s3/error.rs", "use crate::api::recording::recording;"),
            ("src/commands/ls.rs", "use crate::cli::Cli;"),
            ("src/commands/mod.rs", "use crate::cli::AnyCommand;"),
            ("src/api/mod.rs", "use crate::*;"),
            ("src/api/mod.rs", "use crate::run;"),
            ("src/api/mod.rs", "use cec::ui::Ui;"),
            ("src/newroom/mod.rs", ""),
        ] {
            assert_eq!(imports(name, text).len(), 1, "{name}: {text}");
        }
    }

    #[test]
    fn downward_imports_and_the_exceptions_pass() {
        for (name, text) in [
            ("src/main.rs", "fn main() { cec::run(std::env::args_os()) }"),
            ("src/lib.rs", "use cli::Cli;\nuse context::Ctx;\npub fn run() { commands::dispatch() }"),
            ("src/cli.rs", "use crate::commands::scp;"),
            (
                "src/ui/progress.rs",
                "use crate::transfer::event::{Direction, Observer};\nuse crate::transfer::event::Reason;",
            ),
            ("src/ui/mod.rs", "fn f(error: &crate::error::CliError) {}"),
            ("src/error/convert.rs", "use super::CliError;\nuse crate::walk::WalkError;"),
            ("src/walk/remote.rs", "use crate::{api, s3};\npub(crate) fn f() {}\npub(in crate::walk) fn g() {}"),
            ("src/transfer/run.rs", "use std::path::Path;\nuse http::HeaderMap;"),
        ] {
            assert_eq!(imports(name, text), Vec::<String>::new(), "{name}");
        }
    }

    #[test]
    fn printing_leaving_and_the_environment_are_reserved() {
        for (name, text) in [
            ("src/transfer/run.rs", "fn f() { println!(\"x\"); }"),
            ("src/transfer/run.rs", "fn f() { std::eprintln!(\"x\"); }"),
            ("src/api/mod.rs", "fn f() { std::process::exit(1) }"),
            ("src/api/mod.rs", "use std::{process, fmt};\nfn f() { process::exit(1) }"),
            ("src/http/mod.rs", "fn f() { std::env::var(\"X\"); }"),
            ("src/http/mod.rs", "use std::env;"),
            ("src/settings.rs", "use std::{env::{self}, fmt};"),
            ("src/walk/local.rs", "fn f() { std::io::stdout(); }"),
            ("src/commands/scp.rs", "fn f() { std::process::exit(2) }"),
            ("src/sys/lock.rs", "fn f() { std::process::exit(2) }"),
        ] {
            assert_eq!(reserved(name, text), 1, "{name}: {text}");
        }
        for (name, text) in [
            ("src/env.rs", "fn f() { std::env::vars_os(); }"),
            ("src/sys/signal.rs", "fn f() { std::process::exit(2) }"),
            ("src/http/mod.rs", "fn f() { (std::env::consts::OS, env!(\"CARGO_PKG_VERSION\")) }"),
            ("src/settings.rs", "use crate::env::{self, Environment};\nfn f() { env::names(); a != b }"),
            ("src/ui/mod.rs", "fn f() { std::io::stdout(); }"),
        ] {
            assert_eq!(reserved(name, text), 0, "{name}: {text}");
        }
    }

    #[test]
    fn lines_of_tests_do_not_count() {
        let text = "fn f() {\n}\n\n#[cfg(test)]\nmod tests {\n    fn g() {\n    }\n}\n";
        assert_eq!(Source::scan("src/hash.rs", text).lines_without_tests, 3);
        assert_eq!(Source::scan("src/settings/tests.rs", text).lines_without_tests, 0);
    }
}
