//! A sandbox, and a place to run other programs in: a home of its own, and nothing of the user's environment but where
//! programs are.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use cells_sandbox::{Config, Sandbox};

use crate::trees;
pub(crate) use crate::trees::content;

/// The page that says what was tried, with the configurations.
const PAGE: &str = include_str!("../../docs/other-clients.md");

/// The folder on the server that tests use.
pub(crate) const FOLDER: &str = "personal-files/folder";

/// A server, a local folder, and a program to run there.
pub(crate) struct Place {
    pub(crate) sandbox: Sandbox,
    folder: tempfile::TempDir,
    program: PathBuf,
    pub(crate) variables: Vec<(String, OsString)>,
}

/// A place to run a program in, or `None`, and a word on it, where there is no such program. The server is like the
/// real one that was tried: it looks at the access key of a signature alone.
pub(crate) fn place(program: &str, how: &str) -> Option<Place> {
    place_with(program, how, |config| config.strict_signatures = false)
}

/// The same with a server of some other kind.
pub(crate) fn place_with(program: &str, how: &str, change: impl FnOnce(&mut Config)) -> Option<Place> {
    let path = std::env::var_os("PATH")?;
    let Some(program) = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
    else {
        let _ = writeln!(std::io::stdout(), "skipped: needs {program} ({how})");
        return None;
    };
    let mut config = Config { hash_delay: Duration::ZERO, ..Config::default() };
    change(&mut config);
    let sandbox = Sandbox::start(config).expect("a sandbox");
    sandbox.tree().mkdir(FOLDER).expect("a folder");
    let folder = tempfile::tempdir().expect("a folder");
    let variables = vec![
        ("PATH".to_owned(), path),
        ("HOME".to_owned(), folder.path().into()),
        ("LC_ALL".to_owned(), "C.UTF-8".into()),
        ("AWS_EC2_METADATA_DISABLED".to_owned(), "true".into()),
    ];
    Some(Place { sandbox, folder, program, variables })
}

impl Place {
    /// Runs the program to its end, without input, in the local folder.
    pub(crate) fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Run {
        let output = Command::new(&self.program)
            .args(arguments)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("the program starts");
        let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&self.token(), "TOKEN");
        Run {
            code: output.status.code().unwrap_or(-1),
            stdout: told(&output.stdout),
            stderr: told(&output.stderr),
            bytes: output.stdout,
        }
    }

    /// The token of the one who runs it.
    pub(crate) fn token(&self) -> String {
        self.sandbox.token("admin")
    }

    pub(crate) fn local(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Writes a local file, folders included.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        trees::write(&self.local(path), content);
    }

    pub(crate) fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.local(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// A file on the server, in the folder of the tests.
    #[track_caller]
    pub(crate) fn remote(&self, name: &str) -> Vec<u8> {
        self.sandbox.tree().read(&format!("{FOLDER}/{name}")).unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// Makes a file on the server, in the folder of the tests.
    pub(crate) fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        self.sandbox.tree().put(&format!("{FOLDER}/{name}"), content).expect("a file");
    }

    /// Writes a small local tree with odd names into the folder `tree`.
    pub(crate) fn write_tree(&self) {
        for (name, content) in TREE {
            self.write(&format!("tree/{name}"), content);
        }
    }

    /// Asserts that the small tree is in a folder on the server.
    #[track_caller]
    pub(crate) fn assert_tree_at(&self, folder: &str) {
        for (name, content) in TREE {
            assert_eq!(self.remote(&format!("{folder}/{name}")), content.as_bytes(), "{name}");
        }
    }

    /// Asserts that the small tree is in a local folder.
    #[track_caller]
    pub(crate) fn assert_tree_in(&self, folder: &str) {
        for (name, content) in TREE {
            assert_eq!(self.read(&format!("{folder}/{name}")), content.as_bytes(), "{name}");
        }
    }

    /// The configuration that the page shows below a heading, for this server.
    pub(crate) fn configuration(&self, heading: &str) -> String {
        let (_, section) = PAGE.split_once(&format!("\n## {heading}\n")).expect("a section");
        let (_, block) = section.split_once("```\n").expect("a block");
        let (block, _) = block.split_once("```\n").expect("its end");
        let host = self.sandbox.url().split("://").nth(1).expect("a host");
        block
            .replace("https://files.example.com", self.sandbox.url())
            .replace("files.example.com", host)
            .replace("TOKEN", &self.token())
    }
}

/// The small tree.
const TREE: [(&str, &str); 3] = [("1.txt", "one\n"), (".hidden", "hidden\n"), ("sub/2 \u{e4}+%.txt", "two\n")];

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) bytes: Vec<u8>,
}

impl Run {
    /// Asserts that it went well.
    #[track_caller]
    pub(crate) fn well(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self
    }

    /// Asserts that it failed, and said so with these words.
    #[track_caller]
    pub(crate) fn fails_with(self, words: &str) {
        let said = format!("{}{}", self.stdout, self.stderr);
        assert!(self.code != 0 && said.contains(words), "exit code {}: {said}", self.code);
    }
}
