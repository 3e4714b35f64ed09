//! The structure of the code: the direction of imports inside the two crates, the size of files, and which files may
//! write raw bytes or show command lines. docs/architecture.md has the reasons.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// The rooms of a crate, floor by floor from the ground. A room may use the rooms on lower floors, and no others.
struct Tower {
    sources: &'static str,
    floors: &'static [&'static [&'static str]],
}

const CLIENT: Tower = Tower {
    sources: "client/src",
    floors: &[
        &["account", "hash", "path", "sys"],
        &["http"],
        &["store"],
        &["auth"],
        &["failure"],
        &["api", "s3"],
        &["walk"],
        &["transfer"],
        &["lib"],
    ],
};

const PROGRAM: Tower = Tower {
    sources: "src",
    floors: &[
        &["env", "shell", "sys"],
        &["settings"],
        &["ui"],
        &["error"],
        &["credentials"],
        &["context"],
        &["commands"],
        &["cli"],
        &["lib"],
        &["main"],
    ],
};

/// Imports against the direction: the module that has them, what it uses, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("ui::progress", "error::Kind", "the record of a failed file contains its exit code"),
    ("ui", "error::CliError", "the screen shows errors; `error` decides how they read"),
    ("ui", "error::Hint", "the screen shows hints, with the URL of the public link in use"),
];

/// Rooms in which no files import each other in a circle.
const WITHOUT_CIRCLE: &[(&Tower, &str)] = &[(&CLIENT, "auth"), (&PROGRAM, "context"), (&PROGRAM, "credentials")];

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

/// The most lines that a file should have, and may have, without its tests.
const LONG_FILE: usize = 600;
const TOO_LONG_FILE: usize = 900;

#[test]
fn rooms_import_only_downwards() {
    for tower in [&CLIENT, &PROGRAM] {
        let sources = tower.sources();
        let mut faults: Vec<String> = sources.iter().flat_map(|source| tower.upward_imports(source)).collect();
        let rooms: BTreeSet<&str> = sources.iter().map(Source::room).collect();
        let listed = tower.floors.iter().copied().flatten().copied();
        let gone = listed.filter(|room| *room != "lib" && !rooms.contains(room));
        faults.extend(gone.map(|room| format!("tests/repository/layers.rs: the room '{room}' does not exist")));
        assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    }
}

#[test]
fn the_files_of_a_room_import_no_circle() {
    for (tower, room) in WITHOUT_CIRCLE {
        let sources: Vec<Source> = tower.sources().into_iter().filter(|source| source.room() == *room).collect();
        assert!(sources.len() > 1, "the room '{room}' has no files");
        let circle = circle(&sources);
        assert!(circle.is_empty(), "the files of '{room}' import each other in a circle: {circle:?}");
    }
    let both = [("a::x", "use super::y::Y;"), ("a::y", "fn f() { crate::a::x::g(); }")];
    let both = both.map(|(module, text)| Source::parse("", module, text));
    assert_eq!(circle(&both), BTreeSet::from(["a::x".to_owned(), "a::y".to_owned()]));
    assert!(circle(&both[..1]).is_empty());
}

/// A library says what is wrong; which option or command helps is up to the program.
#[test]
fn the_client_library_does_not_know_the_command_line() {
    let mut faults = Vec::new();
    for source in CLIENT.sources() {
        for (number, line) in source.lines().filter(|(_, line)| line.contains('"')) {
            let names_option = line.split("--").skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
            if names_option || line.contains("'cec ") || line.contains("\"cec ") {
                faults.push(format!("{}:{number}: advice to a user is up to `error`", source.name));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_client_library_uses_no_crate_of_the_command_line() {
    let manifest = fs::read_to_string(root().join("client/Cargo.toml")).expect("a manifest");
    for name in ["clap", "indicatif", "terminal_size", "rpassword", "signal-hook"] {
        assert!(!manifest.contains(name), "client/Cargo.toml: {name} is for the program");
    }
    let manifest = fs::read_to_string(root().join("sandbox/Cargo.toml")).expect("a manifest");
    assert!(!manifest.contains("client"), "sandbox/Cargo.toml: the sandbox shares no code with the client");
}

/// The compiler cannot know who uses what a library makes public. Here everybody who does is in the same repository.
#[test]
fn what_is_public_is_used() {
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    let folders = ["src", "client", "tests", "fuzz/fuzz_targets", "examples"];
    for source in folders.into_iter().flat_map(sources) {
        for word in source.text.split(|c: char| !c.is_alphanumeric() && c != '_') {
            *uses.entry(word.to_owned()).or_default() += 1;
        }
    }
    let mut faults = Vec::new();
    for source in CLIENT.sources() {
        let names = source.lines().filter_map(|(number, line)| Some((number, public_name(line)?)));
        for (number, name) in names.filter(|(_, name)| uses[*name] < 2) {
            faults.push(format!("{}:{number}: nothing uses '{name}'", source.name));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    assert_eq!(public_name("    pub async fn renew(&self) {"), Some("renew"));
    assert_eq!(public_name("pub struct Options {"), Some("Options"));
    assert_eq!(public_name("    pub part_size: u64,"), Some("part_size"));
    assert_eq!(public_name("pub(crate) fn f() {}"), None);
}

/// The name of the public item or field that a line of code declares.
fn public_name(line: &str) -> Option<&str> {
    let mut words = line.trim_start().strip_prefix("pub ")?.split(|c: char| !c.is_alphanumeric() && c != '_');
    let keyword =
        |word: &&str| matches!(*word, "async" | "const" | "fn" | "struct" | "enum" | "trait" | "type" | "mod");
    words.find(|word| !keyword(word)).filter(|word| !word.is_empty() && *word != "use")
}

#[test]
fn what_is_shown_goes_through_the_screen() {
    let mut faults = Vec::new();
    for source in PROGRAM.sources().into_iter().filter(|source| !RAW.contains(&source.name.as_str())) {
        for (number, _) in source.lines().filter(|(_, line)| line.contains("ui.bytes(")) {
            faults.push(format!("{}:{number}: writes bytes as they are; lines are for Ui::line", source.name));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn command_lines_are_quoted() {
    let mut faults = Vec::new();
    for source in PROGRAM.sources() {
        for (number, _) in source.lines().filter(|(_, line)| has_unquoted_value(line)) {
            faults.push(format!("{}:{number}: a command line contains a value that is not quoted", source.name));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    for line in ["hint(format!(\"run: cec mv '{a}' b\"))", "\"cec rm {path}\"", "format!(\"'cec du -s {} x\", y)"] {
        assert!(has_unquoted_value(line), "{line}");
    }
    for line in ["\"cec ls --format '{{.Name}}' x\"", "command_line(\"cec mv\", &[a])", "\"cec get '{\\\"a\\\"}'\""] {
        assert!(!has_unquoted_value(line), "{line}");
    }
}

/// Whether a line of code shows a command line of this program with a value that `shell` has not quoted.
fn has_unquoted_value(line: &str) -> bool {
    // Sentences about the program.
    const PROSE: [&str; 2] = ["can", "is"];
    let shown = line.replace("\\\"", "\u{1}");
    shown.match_indices("cec ").any(|(at, _)| {
        let before = shown[..at].chars().next_back().unwrap_or('"');
        let mut words = shown[at..].split('"').next().unwrap_or_default().split(' ').skip(1);
        let verb = words.next().unwrap_or_default();
        let is_command = verb.starts_with(|first: char| first.is_ascii_lowercase()) && !PROSE.contains(&verb);
        let is_value = |word: &str| {
            let value = word.trim_start_matches('\'').strip_prefix('{');
            value.is_some_and(|value| !value.starts_with(['{', '\u{1}']))
        };
        !before.is_alphanumeric() && before != '_' && is_command && words.any(is_value)
    })
}

#[test]
fn files_stay_small() {
    let mut faults = Vec::new();
    for source in ["src", "client/src", "sandbox/src"].into_iter().flat_map(sources) {
        let count = source.code().lines().count();
        if count > TOO_LONG_FILE {
            faults.push(format!("{} has {count} lines without tests; {TOO_LONG_FILE} is too many", source.name));
        } else if count > LONG_FILE {
            println!("warning: {} has {count} lines without tests; {LONG_FILE} is the aim", source.name);
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

impl Tower {
    fn sources(&self) -> Vec<Source> {
        sources(self.sources)
    }

    /// The floor of a room, from the ground.
    fn floor(&self, room: &str) -> Option<usize> {
        self.floors.iter().position(|floor| floor.contains(&room))
    }

    /// The imports of a file that do not lead down.
    fn upward_imports(&self, source: &Source) -> Vec<String> {
        let room = source.room();
        let Some(floor) = self.floor(room) else {
            return vec![format!("{}: the room '{room}' has no floor in tests/repository/layers.rs", source.name)];
        };
        let mut faults = BTreeSet::new();
        for import in &source.imports {
            let Some(target) = import.inside_crate(self, room) else { continue };
            // What is no room is a function of the root, above every room.
            let other = target.first().map_or("lib", String::as_str);
            let below = other == room || self.floor(other).or(self.floor("lib")) < Some(floor);
            let full = target.join("::");
            let excepted = || EXCEPTIONS.iter().any(|(from, to, _)| inside(&import.module, from) && inside(&full, to));
            if !below && !excepted() {
                faults.insert(format!("{}: '{room}' imports {full}, which is not below it", source.name));
            }
        }
        faults.into_iter().collect()
    }
}

/// The modules that import each other in a circle, or import one that does.
fn circle(sources: &[Source]) -> BTreeSet<String> {
    let modules: Vec<String> = sources.iter().map(|source| source.module.join("::")).collect();
    let imports_of = |source: &Source| -> BTreeSet<String> {
        let targets = source.imports.iter().filter_map(|import| import.inside_crate(&PROGRAM, source.room()));
        let module = |target: &[String]| {
            let outer = modules.iter().filter(|module| inside(&target.join("::"), module));
            outer.max_by_key(|module| module.len()).cloned()
        };
        targets.filter_map(module).filter(|module| *module != source.module.join("::")).collect()
    };
    let mut left: BTreeMap<String, BTreeSet<String>> =
        modules.iter().cloned().zip(sources.iter().map(imports_of)).collect();
    loop {
        // What imports nothing that is left is in no circle.
        let open: BTreeSet<String> = left.keys().cloned().collect();
        left.retain(|_, imports| imports.iter().any(|import| open.contains(import)));
        if left.len() == open.len() {
            return open;
        }
    }
}

/// Whether a path is `outer` or something in it.
fn inside(path: &str, outer: &str) -> bool {
    path == outer || path.strip_prefix(outer).is_some_and(|rest| rest.starts_with("::"))
}

/// A source file.
struct Source {
    /// Its path from the project's root, with slashes.
    name: String,
    /// The module that it is, from the crate's root; `lib` and `main` for the roots.
    module: Vec<String>,
    text: String,
    imports: Vec<Import>,
}

impl Source {
    fn parse(name: &str, module: &str, text: &str) -> Self {
        let module: Vec<String> = module.split("::").map(str::to_owned).collect();
        let is_root = matches!(module[0].as_str(), "lib" | "main");
        let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut paths = Paths { module: if is_root { Vec::new() } else { module.clone() }, imports: Vec::new() };
        paths.visit_file(&file);
        Self { name: name.to_owned(), module, text: text.to_owned(), imports: paths.imports }
    }

    fn room(&self) -> &str {
        &self.module[0]
    }

    /// The text without the tests at its end; nothing of a file of tests.
    fn code(&self) -> &str {
        let is_test = self.module.iter().any(|part| part == "tests");
        if is_test { "" } else { self.text.split("#[cfg(test)]\nmod ").next().unwrap_or_default() }
    }

    /// The lines of code with their numbers.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.code().lines().enumerate().map(|(index, line)| (index + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All source files below a folder of the project.
fn sources(folder: &str) -> Vec<Source> {
    let top = root().join(folder);
    let (mut files, mut waiting): (Vec<PathBuf>, _) = (Vec::new(), vec![top.clone()]);
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    let source = |path: PathBuf| {
        let parts = path.strip_prefix(&top).expect("below the folder").with_extension("");
        let mut parts: Vec<_> = parts.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let name = format!("{folder}/{}.rs", parts.join("/"));
        parts.pop_if(|last| last == "mod");
        Source::parse(&name, &parts.join("::"), &fs::read_to_string(&path).expect("a source file"))
    };
    files.into_iter().map(source).collect()
}

/// A path in a source file.
#[derive(Debug)]
struct Import {
    /// From the crate's root behind a first `crate`, else as written.
    path: Vec<String>,
    /// The module that it is in, inline ones included.
    module: String,
}

impl Import {
    /// The path from the crate's root, if it leads into the crate.
    fn inside_crate(&self, tower: &Tower, room: &str) -> Option<&[String]> {
        let (first, rest) = self.path.split_first()?;
        // The program sees its library as a crate of its own; a root names its rooms without `crate`.
        let root = first == "crate" || (first == "cec" && !rest.is_empty());
        let bare = room == "lib" && tower.floor(first).is_some();
        if root { Some(rest) } else { bare.then_some(self.path.as_slice()) }
    }
}

/// Collects the paths of one file: those of `use`, those written in place, and those in the input of macros.
struct Paths {
    module: Vec<String>,
    imports: Vec<Import>,
}

impl Paths {
    /// Notes a path; `self` and `super` at its start are resolved.
    fn add(&mut self, path: &[String]) {
        let mut place = self.module.clone();
        let leading = path.iter().take_while(|part| matches!(part.as_str(), "self" | "super")).count();
        for _ in path[..leading].iter().filter(|part| *part == "super") {
            place.pop();
        }
        let resolved = if leading == 0 {
            path.to_vec()
        } else {
            [&["crate".to_owned()], place.as_slice(), &path[leading..]].concat()
        };
        self.imports.push(Import { path: resolved, module: self.module.join("::") });
    }

    fn add_tree(&mut self, prefix: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| [prefix, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.add_tree(&with(&path.ident), &path.tree),
            syn::UseTree::Name(name) if name.ident == "self" => self.add(prefix),
            syn::UseTree::Name(name) => self.add(&with(&name.ident)),
            syn::UseTree::Rename(rename) => self.add(&with(&rename.ident)),
            syn::UseTree::Glob(_) => self.add(prefix),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(prefix, tree)),
        }
    }

    /// Names that two colons connect, in tokens that no parser knows.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.add(&std::mem::take(&mut path));
                    }
                    path.push(name.to_string());
                    colons = 0;
                }
                other => {
                    self.add(&std::mem::take(&mut path));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.add_tokens(group.stream());
                    }
                }
            }
        }
        self.add(&path);
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.add(&path.segments.iter().map(|segment| segment.ident.to_string()).collect::<Vec<_>>());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.add_tokens(called.tokens.clone());
        visit::visit_macro(self, called);
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.module.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.module.pop();
    }
}

#[test]
fn an_import_that_does_not_lead_down_is_found() {
    let faults = |tower: &Tower, module: &str, text: &str| tower.upward_imports(&Source::parse("x", module, text));
    for (tower, module, text) in [
        (&CLIENT, "s3", "use crate::api::Node;"),
        (&CLIENT, "api", "fn f() { let x = crate::walk::human::size(1); }"),
        (&CLIENT, "api::tree", "fn f(x: super::super::transfer::Options) {}"),
        (&CLIENT, "api::tree", "mod tests { use super::super::super::walk::a; }"),
        (&CLIENT, "walk", "use crate::{path::RemotePath, transfer::{Engine as E}};"),
        (&CLIENT, "http", "fn f() { info!(x = crate::auth::name(), \"y\"); }"),
        (&CLIENT, "account", "use crate::path::RemotePath;"),
        (&CLIENT, "api", "use crate::*;"),
        (&CLIENT, "newroom", ""),
        (&PROGRAM, "settings", "use crate::ui::Ui;"),
        (&PROGRAM, "ui", "use crate::error::Kind;"),
        (&PROGRAM, "context", "use crate::commands::scp;"),
        (&PROGRAM, "commands", "use crate::cli::AnyCommand;"),
        (&PROGRAM, "commands", "use crate::run;"),
        (&PROGRAM, "commands", "use cec::cli::Cli;"),
    ] {
        assert_eq!(faults(tower, module, text).len(), 1, "{module}: {text}");
    }
    for (tower, module, text) in [
        (&CLIENT, "walk::remote", "use crate::{api, s3};\npub(crate) fn f() {}\npub(in crate::walk) fn g() {}"),
        (&CLIENT, "transfer::run", "use std::path::Path;\nuse http::HeaderMap;\n// crate::none::a"),
        (&CLIENT, "transfer::run", "fn f() -> impl Sized + use<> { \"crate::none::a\" }"),
        (&PROGRAM, "main", "fn main() { cec::run(std::env::args_os()) }"),
        (&PROGRAM, "lib", "use cli::Cli;\nuse context::Ctx;\npub fn run() { commands::dispatch() }"),
        (&PROGRAM, "ui::progress", "use crate::error::Kind;"),
        (&PROGRAM, "ui", "fn f(error: &crate::error::CliError) {}"),
    ] {
        assert_eq!(faults(tower, module, text), Vec::<String>::new(), "{module}: {text}");
    }
}
