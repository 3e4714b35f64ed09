//! A machine with `cec` on it: what it runs on a terminal or on pipes, with the peak of its memory and what it has
//! left behind.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use cells_sandbox::{Config, Sandbox};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::lines::{Account, Line};

/// How long a command may take before it counts as one that never ends.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How much output is kept.
const KEPT: usize = 32 << 20;

/// What a command writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Screen {
    Terminal,
    Pipes,
}

/// What became of a command.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    /// On a terminal all that was on it, else standard output.
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// In KiB.
    pub(crate) peak: u64,
    pub(crate) took: Duration,
}

/// Another server, to which nobody has any business going.
#[derive(Debug)]
pub(crate) struct Elsewhere {
    pub(crate) url: String,
    visits: Arc<AtomicUsize>,
}

impl Elsewhere {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let visits = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&visits);
        thread::spawn(move || {
            for _ in listener.incoming() {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { url, visits }
    }

    pub(crate) fn visits(&self) -> usize {
        self.visits.load(Ordering::Relaxed)
    }
}

/// What is in a folder: each file's length, and what changes when it is written or replaced, by its path. Folders and
/// links count as well.
pub(crate) type Snapshot = BTreeMap<PathBuf, (u64, u64)>;

/// A machine and the server that it talks to.
pub(crate) struct Machine {
    root: tempfile::TempDir,
    pub(crate) sandbox: Sandbox,
    pub(crate) elsewhere: Elsewhere,
    archive: Vec<u8>,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let sandbox = Sandbox::start(Config {
            job_effect_delay: Duration::ZERO,
            job_status_delay: Duration::ZERO,
            hash_delay: Duration::ZERO,
            index_delay: Duration::ZERO,
            ..Config::default()
        });
        let sandbox = sandbox.expect("a sandbox");
        sandbox.add_user("dave");
        let mut machine = Self {
            root: tempfile::tempdir().expect("a folder"),
            sandbox,
            elsewhere: Elsewhere::open(),
            archive: Vec::new(),
        };
        machine.tidy(false);
        machine.sandbox.tree().remove("common-files/archive.zip");
        let made = machine.honest("compress common-files/folder common-files/archive.zip");
        assert_eq!(made.code, Some(0), "{}", String::from_utf8_lossy(&made.stderr));
        machine.archive = machine.sandbox.tree().read("common-files/archive.zip").expect("an archive");
        machine
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Puts everything back to how it was at the start, on the server and here, with a large file or without.
    pub(crate) fn tidy(&self, large: bool) {
        self.sandbox.lie(None);
        let tree = self.sandbox.tree();
        for name in tree.list("common-files") {
            tree.remove(&format!("common-files/{}", name.trim_end_matches('/')));
        }
        let numbers = if large { 0..11_u32 << 18 } else { 0..0 };
        let large: Vec<u8> = numbers.flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let report = b"The report of the year: all is well.\n";
        let files: [(&str, &[u8]); 7] = [
            ("report.txt", report),
            (".hidden", b"hidden"),
            ("folder/a.txt", b"aaaa"),
            ("folder/b.txt", b"bbbbb"),
            ("folder/deep/c.txt", b"cccccc"),
            ("spare/x", b"x"),
            ("archive.zip", &self.archive),
        ];
        for (name, content) in files {
            tree.put(&format!("common-files/{name}"), content).expect("a file");
        }
        for folder in ["home", "work", "outside"] {
            let _ = fs::remove_dir_all(self.path(folder));
        }
        let folders = ["home", "outside", "bin", "work/in/.ssh", "work/tree/deep"];
        folders.iter().for_each(|folder| fs::create_dir_all(self.path(folder)).expect("a folder"));
        let files: [(&str, &[u8]); 6] = [
            ("work/report.txt", report),
            ("work/large.bin", &large),
            ("work/in/.bashrc", b"mine"),
            ("work/in/.ssh/authorized_keys", b"mine"),
            ("work/tree/y", b"yy"),
            ("work/tree/deep/z", b"zzz"),
        ];
        files.iter().for_each(|(name, content)| fs::write(self.path(name), content).expect("a file"));
        self.install();
    }

    /// Puts the program in place, where it is not there or has been replaced.
    fn install(&self) {
        let (program, original) = (self.path("bin/cec"), env!("CARGO_BIN_EXE_cec"));
        let length = |path: &Path| fs::metadata(path).map(|about| about.len()).ok();
        if length(&program) != length(Path::new(original)) {
            // By another process: a file that this one has open for writing cannot be started.
            let copied = Command::new("cp").arg(original).arg(&program).status();
            assert!(copied.is_ok_and(|status| status.success()));
        }
    }

    /// What there is now, but for what `cec` keeps for itself.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut found = Snapshot::new();
        let mut waiting = vec![self.root.path().to_owned()];
        let own = [".config", ".cache", ".local"].map(|name| self.path("home").join(name));
        while let Some(folder) = waiting.pop() {
            for entry in fs::read_dir(folder).expect("a folder").flatten() {
                let path = entry.path();
                if own.contains(&path) {
                    continue;
                }
                let kind = entry.file_type().expect("a type");
                let name = path.strip_prefix(self.root.path()).expect("a path").to_owned();
                if kind.is_dir() {
                    waiting.push(path);
                    found.insert(name, (0, 0));
                } else {
                    let about = fs::symlink_metadata(&path).expect("a file");
                    found.insert(name, (about.len(), about.mtime_nsec().unsigned_abs() ^ about.ino()));
                }
            }
        }
        found
    }

    /// Runs a command on pipes while the server is honest.
    pub(crate) fn honest(&self, typed: &str) -> Ended {
        self.sandbox.lie(None);
        let words: Vec<String> = typed.split_whitespace().map(str::to_owned).collect();
        self.start(self.command(Account::Token, &[]), &words, "", Screen::Pipes)
    }

    /// Runs a line, `before` being what the one before it has written.
    pub(crate) fn run(&self, line: &Line, before: &str, screen: Screen, extra: &[(&str, &str)]) -> Ended {
        let fill = |text: &str| {
            let password = self.sandbox.password("alice");
            text.replace("{url}", self.sandbox.url()).replace("{password}", password).replace("{before}", before)
        };
        let mut words: Vec<String> = line.typed.split_whitespace().map(fill).collect();
        if screen == Screen::Pipes && extra.iter().any(|(name, _)| *name == "CEC_JSON") {
            // As a variable it would be lost on commands that know it as a flag alone.
            words.push("--json".to_owned());
        }
        self.start(self.command(line.account, extra), &words, &fill(line.input), screen)
    }

    fn command(&self, account: Account, extra: &[(&str, &str)]) -> Command {
        let mut command = Command::new(self.path("bin/cec"));
        command.env_clear().current_dir(self.path("work"));
        command.env("HOME", self.path("home")).env("PATH", "/usr/bin:/bin").env("TERM", "xterm");
        command.env("CEC_KEYRING", "none").env("CEC_COLOR", "never").env("CEC_TIMEOUT", "2s");
        command
            .env("CEC_RETRY_MAX_BACKOFF", "20ms")
            .env("CEC_RETRY_MAX_ATTEMPTS", "2")
            .env("CEC_CONNECT_TIMEOUT", "2s");
        command.env("CEC_UPDATE_URL", self.sandbox.url());
        command.env("CEC_UPDATE_KEY", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/update-test-key.spki.pem"));
        match account {
            Account::Token => {
                command.env("CEC_URL", self.sandbox.url()).env("CEC_TOKEN", self.sandbox.token("admin"));
            }
            Account::Password => {
                command.env("CEC_URL", self.sandbox.url()).env("CEC_LOGIN", "admin");
                command.env("CEC_PASSWORD", self.sandbox.password("admin"));
            }
            Account::Session => self.store_session(),
            Account::Nobody => {}
        }
        command.envs(extra.iter().copied());
        command
    }

    /// Keeps two accounts in config.json; the access token of the first has ended.
    fn store_session(&self) {
        let port = self.sandbox.url().rsplit(':').next().expect("a port").to_owned();
        let entry = |login: &str| {
            let pair = self.sandbox.sign_in(login);
            serde_json::json!({
                "authType": "oauth2", "url": self.sandbox.url(), "user": login, "idToken": pair.access,
                "refreshToken": pair.refresh, "tokenExpiresAt": 1, "skipVerify": false, "useTokenCache": true,
                "CustomHeaders": null, "label": login, "skipKeyring": true, "createdAtVersion": "4.4.0-alpha3",
            })
        };
        let id = |login: &str| format!("{login}@127.0.0.1:{port}");
        let document = serde_json::json!({
            "ActiveConfigID": id("admin"), "Configs": { id("admin"): entry("admin"), id("alice"): entry("alice") }
        });
        let folder = self.path("home/.config/pydio/cells-client");
        fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("config.json");
        fs::write(&file, document.to_string()).expect("config.json");
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
    }

    fn start(&self, mut command: Command, words: &[String], input: &str, screen: Screen) -> Ended {
        command.args(words);
        let mut terminal = None;
        match screen {
            Screen::Terminal => {
                let (master, slave) = open_terminal();
                let copy = || Stdio::from(slave.try_clone().expect("a terminal"));
                command.stdin(copy()).stdout(copy()).stderr(copy());
                terminal = Some(File::from(master));
            }
            Screen::Pipes => {
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            }
        }
        let begun = Instant::now();
        let mut child = command.spawn().expect("cec starts");
        drop(command);
        let outputs: Vec<_> = match &terminal {
            Some(master) => vec![collect(master.try_clone().expect("a terminal"))],
            None => {
                let stdout = collect(child.stdout.take().expect("a pipe"));
                vec![stdout, collect(child.stderr.take().expect("a pipe"))]
            }
        };
        let keyboard: Option<File> = terminal.as_ref().map(|master| master.try_clone().expect("a terminal"));
        if let Some(mut keyboard) = keyboard.as_ref() {
            keyboard.write_all(input.as_bytes()).expect("a keyboard");
        } else if let Some(mut pipe) = child.stdin.take() {
            // It may not read its input at all.
            let _ = pipe.write_all(input.as_bytes());
        }
        let over = Arc::new(AtomicBool::new(false));
        let watch = watch(child.id(), keyboard, Arc::clone(&over));
        let status = child.wait().expect("an end");
        let took = begun.elapsed();
        over.store(true, Ordering::Relaxed);
        drop(terminal);
        let peak = watch.join().expect("no panic");
        let mut outputs = outputs.into_iter().map(|output| output.recv().unwrap_or_default());
        Ended {
            code: status.code(),
            signal: status.signal(),
            stdout: outputs.next().unwrap_or_default(),
            stderr: outputs.next().unwrap_or_default(),
            peak,
            took,
        }
    }
}

fn open_terminal() -> (OwnedFd, OwnedFd) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).expect("a terminal");
    grantpt(&master).expect("a terminal");
    unlockpt(&master).expect("a terminal");
    let slave = ioctl_tiocgptpeer(&master, flags).expect("a terminal");
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&master, size).expect("a terminal");
    (master, slave)
}

/// Reads all there is, on a thread of its own.
fn collect(mut from: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (give, take) = mpsc::channel();
    thread::spawn(move || {
        let (mut all, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
        // A terminal that nobody has open any more is an error.
        while let Ok(count) = from.read(&mut buffer) {
            if count == 0 {
                break;
            }
            if all.len() < KEPT {
                all.extend_from_slice(&buffer[..count]);
            }
        }
        let _ = give.send(all);
    });
    take
}

/// Looks at the memory of a process until it is over, types the end of input now and then for questions that nobody
/// answers, and ends what does not end. Gives the peak in KiB.
fn watch(id: u32, mut keyboard: Option<File>, over: Arc<AtomicBool>) -> thread::JoinHandle<u64> {
    thread::spawn(move || {
        let (begun, mut typed, mut highest) = (Instant::now(), 0, 0);
        while !over.load(Ordering::Relaxed) {
            // What wait4(2) gives begins with the peak of the parent.
            highest = highest.max(peak(id).unwrap_or(0));
            thread::sleep(Duration::from_millis(3));
            let due = begun.elapsed().as_millis() / 200;
            if due >= 2
                && due > typed
                && let Some(keyboard) = &mut keyboard
            {
                typed = due;
                let _ = keyboard.write_all(b"\x04");
            }
            if begun.elapsed() > PATIENCE {
                let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
                break;
            }
        }
        highest
    })
}

/// The peak of a process's memory in KiB, as far as it still runs.
fn peak(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Whether a path is among those that may be written.
pub(crate) fn may_be_written(path: &Path, writes: &[&str]) -> bool {
    writes.iter().any(|allowed| {
        let folder = allowed.trim_end_matches('/');
        path == Path::new(folder) || (allowed.ends_with('/') && path.starts_with(folder))
    })
}
