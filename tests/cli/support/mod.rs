//! A sealed environment: a sandbox server, a home folder of its own, no variables but those a test sets. Every output
//! is searched for the secrets that the run could know.

pub(crate) mod http;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use cells_sandbox::{Config, Sandbox, Tree};

pub(crate) use crate::raw::{PATIENCE, wait_for};
use crate::trees;

/// The shapes of what [`shown`] replaces: `h` is a hexadecimal digit, `9` a decimal one.
const UUID: &str = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
const TIME: &str = "9999-99-99T99:99:99";
const DURATION: &str = " in 9.9s";
const LINK: &str = "hhhhhhhhhhhh";

/// A server and a user's machine.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    home: tempfile::TempDir,
    /// The tokens of sessions that were stored.
    issued: std::sync::Mutex<Vec<String>>,
}

impl World {
    /// A fresh server whose jobs are quick, and an empty home.
    pub(crate) fn new() -> Self {
        Self::with(Config {
            job_effect_delay: Duration::from_millis(20),
            job_status_delay: Duration::from_millis(60),
            hash_delay: Duration::ZERO,
            index_delay: Duration::ZERO,
            ..Config::default()
        })
    }

    pub(crate) fn with(config: Config) -> Self {
        let sandbox = Sandbox::start(config).expect("a sandbox");
        Self { sandbox, home: tempfile::tempdir().expect("a home"), issued: std::sync::Mutex::default() }
    }

    pub(crate) fn tree(&self) -> Tree {
        self.sandbox.tree()
    }

    pub(crate) fn put(&self, path: &str, content: &str) {
        self.sandbox.tree().put(path, content).expect(path);
    }

    /// Writes a file of the home, folders included.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        trees::write(&self.home().join(path), content);
    }

    pub(crate) fn mkdir(&self, path: &str) {
        self.sandbox.tree().mkdir(path).expect(path);
    }

    pub(crate) fn url(&self) -> &str {
        self.sandbox.url()
    }

    /// The sandbox's port, as it shows in account ids.
    pub(crate) fn port(&self) -> &str {
        self.url().rsplit(':').next().expect("a port")
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn config_folder(&self) -> PathBuf {
        self.home().join(".config/pydio/cells-client")
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.config_folder().join("config.json")
    }

    /// Puts a config.json in place, `http://127.0.0.1:8080` standing for the sandbox.
    pub(crate) fn install_config(&self, text: &str) {
        fs::create_dir_all(self.config_folder()).expect("a folder");
        let text = text.replace("http://127.0.0.1:8080", self.url());
        // Some program may be reading it: it is never there in part.
        let file = self.config_folder().join("config.json.test");
        fs::write(&file, text).expect("config.json");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a mode");
        }
        fs::rename(file, self.config_file()).expect("config.json");
    }

    /// Writes a file of the home that only its owner can read, as one that holds a token must be.
    pub(crate) fn write_secret(&self, name: &str, text: &str) {
        let file = self.home().join(name);
        fs::write(&file, text).expect("a file");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a mode");
        }
    }

    /// `cec` signed in as admin through the environment.
    pub(crate) fn cec<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Cec<'_> {
        self.signed_out(arguments).env("CEC_URL", self.url()).env("CEC_TOKEN", &self.sandbox.token("admin"))
    }

    /// These runs of `cec`, signed in as admin, as one text: see [`transcript`].
    pub(crate) fn transcript<'a, L: AsRef<[&'a str]>>(&self, lines: impl IntoIterator<Item = L>) -> String {
        transcript(lines.into_iter().map(|line| self.cec(line.as_ref().iter().copied()).run()))
    }

    /// `cec` of somebody who is signed in nowhere, unless config.json says otherwise.
    pub(crate) fn signed_out<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Cec<'_> {
        let home = self.home().display().to_string();
        let variables = [
            ("HOME", home.clone()),
            ("XDG_CONFIG_HOME", format!("{home}/.config")),
            ("PATH", "/usr/bin:/bin".to_owned()),
            ("TERM", "xterm".to_owned()),
            // Never the keyring of whoever runs the tests.
            ("CEC_KEYRING", "none".to_owned()),
            // A test does not wait as long as a user would.
            ("CEC_RETRY_MAX_BACKOFF", "50ms".to_owned()),
        ];
        Cec {
            world: self,
            arguments: arguments.into_iter().map(str::to_owned).collect(),
            variables: variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            input: Vec::new(),
            stdout: None,
            program: env!("CARGO_BIN_EXE_cec").into(),
            nobody: false,
            prints_secrets: false,
        }
    }

    /// Signs a user in with OAuth tokens that config.json keeps, as `admin@127.0.0.1:PORT` and so on. A life in the past
    /// makes the access token look expired; the server decides for itself.
    pub(crate) fn store_session(&self, login: &str, ends_in_seconds: i64) -> cells_sandbox::Pair {
        let pair = self.sandbox.sign_in(login);
        self.store_pair(login, &pair, ends_in_seconds);
        pair
    }

    /// Stores the tokens of a session, as another client does.
    pub(crate) fn store_pair(&self, login: &str, pair: &cells_sandbox::Pair, ends_in_seconds: i64) {
        self.issued.lock().expect("no panic").extend([pair.access.clone(), pair.refresh.clone()]);
        let text = self.session_entry(login, pair, ends_in_seconds);
        self.install_config(&text);
    }

    fn session_entry(&self, login: &str, pair: &cells_sandbox::Pair, ends_in_seconds: i64) -> String {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_secs();
        let id = format!("{login}@127.0.0.1:{}", self.port());
        let entry = serde_json::json!({
            "authType": "oauth2", "url": self.url(), "user": login, "idToken": pair.access,
            "refreshToken": pair.refresh, "tokenExpiresAt": i64::try_from(now).expect("a time") + ends_in_seconds,
            "skipVerify": false, "useTokenCache": true, "CustomHeaders": null, "label": format!("{login}@127.0.0.1"),
            "skipKeyring": true, "createdAtVersion": "4.4.0-alpha3",
        });
        serde_json::json!({ "ActiveConfigID": id, "Configs": { id.clone(): entry } }).to_string()
    }

    /// What must never be seen.
    fn secrets(&self) -> Vec<String> {
        let users = ["admin", "alice", "bob"];
        let known = users.iter().flat_map(|user| [self.sandbox.token(user), self.sandbox.password(user).to_owned()]);
        let mut secrets: Vec<String> = known.chain(self.issued.lock().expect("no panic").iter().cloned()).collect();
        // Those of sessions that are opened for a run alone are known by what was sent.
        let requests = self.sandbox.requests();
        let sent = requests.iter().filter_map(|request| request.header("authorization").strip_prefix("Bearer "));
        secrets.extend(sent.map(str::to_owned));
        secrets.sort_unstable();
        secrets.dedup();
        secrets
    }

    /// What differs from run to run, by name.
    fn normalized(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        text.replace(self.url(), "URL")
            .replace(&self.home().display().to_string(), "HOME")
            .replace(&format!(":{}", self.port()), ":PORT")
    }
}

/// A run that is being put together.
pub(crate) struct Cec<'a> {
    world: &'a World,
    arguments: Vec<String>,
    variables: BTreeMap<String, String>,
    input: Vec<u8>,
    stdout: Option<PathBuf>,
    program: PathBuf,
    nobody: bool,
    prints_secrets: bool,
}

impl Cec<'_> {
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn user(self, login: &str) -> Self {
        let token = self.world.sandbox.token(login);
        self.env("CEC_TOKEN", &token)
    }

    pub(crate) fn input(self, text: &str) -> Self {
        self.input_bytes(text.as_bytes())
    }

    pub(crate) fn input_bytes(mut self, bytes: &[u8]) -> Self {
        self.input = bytes.to_vec();
        self
    }

    /// For the few commands whose result is a secret: standard output is not searched for them.
    pub(crate) fn prints_secrets(mut self) -> Self {
        self.prints_secrets = true;
        self
    }

    /// The secrets that this run could know: those of its environment and of config.json too.
    fn secrets(&self) -> Vec<String> {
        let given = ["CEC_TOKEN", "CEC_PASSWORD", "CEC_LINK_PASSWORD", "CELLS_CLIENT_TARGET_USER_PWD"]
            .iter()
            .filter_map(|name| self.variables.get(*name).cloned());
        let mut secrets: Vec<String> = self.world.secrets().into_iter().chain(given).collect();
        let text = fs::read_to_string(self.world.config_file()).unwrap_or_default();
        let file = serde_json::from_str::<serde_json::Value>(&text).unwrap_or_default();
        for entry in file["Configs"].as_object().into_iter().flat_map(|entries| entries.values()) {
            let kept = ["idToken", "refreshToken", "password"].iter().filter_map(|name| entry[*name].as_str());
            secrets.extend(kept.map(str::to_owned));
        }
        // Shorter ones are made up by tests, and may be words.
        secrets.retain(|secret| secret.len() >= 10);
        secrets
    }

    /// The file that `--log-file` or its variable names.
    fn log_file(&self) -> Option<PathBuf> {
        let mut arguments = self.arguments.iter();
        let flag = arguments.find_map(|argument| match argument.strip_prefix("--log-file") {
            Some("") => Some(None),
            Some(value) => value.strip_prefix('=').map(Some),
            None => None,
        });
        let flag = flag.and_then(|value| value.or_else(|| arguments.next().map(String::as_str)));
        let name = flag.or_else(|| self.variables.get("CEC_LOG_FILE").map(String::as_str))?;
        Some(self.world.home().join(name))
    }

    /// Searches for secrets what else than the screen a run may have written for people to read and pass on: its log,
    /// and all that it keeps between runs beside the accounts.
    fn search_files(&self) {
        let mut files: Vec<PathBuf> = self.log_file().into_iter().collect();
        let mut folders = [".cache", ".local", ".config"].map(|name| self.world.home().join(name)).to_vec();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                    Ok(_) if !entry.file_name().to_string_lossy().starts_with("config.json") => {
                        files.push(entry.path());
                    }
                    _ => {}
                }
            }
        }
        for file in files {
            let text = fs::read(&file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
            for secret in self.secrets() {
                assert!(!text.contains(&secret), "a secret in {} after {:?}", file.display(), self.arguments);
            }
        }
    }

    /// Sends standard output to a file that exists.
    #[cfg(target_os = "linux")]
    pub(crate) fn stdout_to(mut self, path: &str) -> Self {
        self.stdout = Some(path.into());
        self
    }

    /// Runs it as a user whom file permissions hold back: they do not hold root.
    #[cfg(unix)]
    pub(crate) fn by_nobody(mut self) -> Self {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        self.nobody = fs::metadata(self.world.home()).expect("a home").uid() == 0;
        if self.nobody {
            if !self.program.starts_with(self.world.home()) {
                // It may lie where only root can go.
                let program = self.world.home().join(".cec-program");
                copy_program(&program);
                self.program = program;
            }
            fs::set_permissions(self.world.home(), fs::Permissions::from_mode(0o755)).expect("a mode");
        }
        self
    }

    /// Runs a copy of the program instead.
    #[cfg(unix)]
    pub(crate) fn program(mut self, program: &Path) -> Self {
        self.program = program.to_owned();
        self
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.variables).current_dir(self.world.home());
        #[cfg(unix)]
        if self.nobody {
            use std::os::unix::process::CommandExt;
            command.uid(65534).gid(65534);
        }
        command
    }

    /// Starts it, all streams being pipes.
    pub(crate) fn spawn(&self) -> Child {
        self.command(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(match &self.stdout {
                Some(path) => fs::OpenOptions::new().write(true).open(path).expect("a file").into(),
                None => Stdio::piped(),
            })
            .stderr(Stdio::piped())
            .spawn()
            .expect("cec starts")
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Run {
        let mut child = self.spawn();
        // It may not read its input at all.
        let _ = child.stdin.take().expect("a pipe").write_all(&self.input);
        let output = child.wait_with_output().expect("cec ends");
        self.seen(&output)
    }

    /// The arguments as they would be typed.
    fn command_line(&self) -> String {
        let is_plain = |argument: &str| !argument.is_empty() && !argument.contains([' ', '"', '\'', '*', '\n']);
        let typed = |argument: &String| if is_plain(argument) { argument.clone() } else { format!("{argument:?}") };
        self.arguments.iter().map(typed).collect::<Vec<_>>().join(" ")
    }

    /// What a run left behind, once it is certain that no secret is in it.
    fn seen(&self, output: &Output) -> Run {
        let run = Run {
            code: exit_code(&output.status).unwrap_or(-1),
            stdout: self.world.normalized(&output.stdout),
            stderr: self.world.normalized(&output.stderr),
            arguments: self.world.normalized(self.command_line().as_bytes()),
            bytes: output.stdout.clone(),
        };
        for secret in self.secrets() {
            let shown = run.stdout.contains(&secret) && !self.prints_secrets;
            assert!(!shown, "a secret in standard output of {:?}", self.arguments);
            assert!(!run.stderr.contains(&secret), "a secret in standard error of {:?}", self.arguments);
        }
        self.search_files();
        run
    }

    /// Runs it where a folder of the home is a small file system of its own, mounted with these options and gone with
    /// the run; what was in the folder is copied there first. Gives what the run left there as well: paths and sizes of files, sorted. `None` where mounting is not
    /// allowed.
    #[cfg(target_os = "linux")]
    pub(crate) fn on_disk(self, folder: &str, options: &str) -> Option<(Run, Vec<String>)> {
        const LEFT: &str = ".left-on-disk";
        const BEFORE: &str = ".before-on-disk";
        let script = format!(
            "folder=$1; rm -rf {LEFT}; cp -a \"$folder\" {BEFORE} && mount -t tmpfs -o \"$2\" cec \"$folder\" || exit; \
             cp -a {BEFORE}/. \"$folder\" 2>/dev/null; rm -r {BEFORE}; touch {LEFT}; shift 2; \"$@\"; code=$?; find \"$folder\" -type f -printf '%P %s\\n' | sort > {LEFT}; exit $code"
        );
        fs::create_dir_all(self.world.home().join(folder)).expect("a folder");
        let list = self.world.home().join(LEFT);
        for namespace in [&["--mount"][..], &["--mount", "--map-root-user"]] {
            let mut command = self.command(Path::new("unshare"));
            command.args(namespace).args(["sh", "-c", &script, "sh", folder, options]);
            command.arg(env!("CARGO_BIN_EXE_cec")).args(&self.arguments).stdin(Stdio::null());
            let output = command.output().ok();
            if let (Some(output), Ok(left)) = (output, fs::read_to_string(&list)) {
                fs::remove_file(&list).expect("a file");
                return Some((self.seen(&output), left.lines().map(str::to_owned).collect()));
            }
        }
        skipped("mounts of its own: run as root, or allow user namespaces");
        None
    }

    /// Runs it in a shell that first does something, for example sets a limit.
    #[cfg(unix)]
    pub(crate) fn after(self, preparation: &str) -> Run {
        let mut command = self.command(Path::new("sh"));
        command.args(["-c", &format!("{preparation}; exec \"$@\""), "sh", env!("CARGO_BIN_EXE_cec")]);
        let output = command.args(&self.arguments).stdin(Stdio::null()).output().expect("a shell");
        self.seen(&output)
    }

    /// Runs it on a terminal, by way of `script`: waits for each question and then types the answer. Gives the exit
    /// code and what was on the screen, or `None` where there is no `script`.
    #[cfg(unix)]
    pub(crate) fn on_terminal(self, dialogue: &[(&str, &str)]) -> Option<(i32, String)> {
        let mut answers = dialogue.iter().map(|(_, answer)| (*answer).to_owned());
        self.talk(dialogue.iter().map(|(question, _)| *question), &mut |_| answers.next().unwrap_or_default())
    }

    /// The same with answers that depend on what is on the screen by then.
    #[cfg(unix)]
    pub(crate) fn talk<'q>(
        self,
        questions: impl IntoIterator<Item = &'q str>,
        answer: &mut dyn FnMut(&str) -> String,
    ) -> Option<(i32, String)> {
        use std::io::Read;
        let Some(script) = ["/usr/bin/script", "/bin/script"].iter().map(Path::new).find(|path| path.exists()) else {
            skipped("the program script");
            return None;
        };
        let quote = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
        let arguments: Vec<String> = self.arguments.iter().map(|argument| quote(argument)).collect();
        let line = format!("{} {}", quote(&self.program.display().to_string()), arguments.join(" "));
        let mut child = self
            .command(script)
            .args(["-qec", &line, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut input = child.stdin.take().expect("a pipe");
        let mut output = child.stdout.take().expect("a pipe");
        let (mut screen, mut seen) = (Vec::new(), 0);
        for question in questions {
            let mut buffer = [0; 4096];
            while !String::from_utf8_lossy(&screen[seen..]).contains(question) {
                let count = output.read(&mut buffer).expect("a screen");
                assert!(count > 0, "no '{question}' on the screen: {}", String::from_utf8_lossy(&screen));
                screen.extend_from_slice(&buffer[..count]);
            }
            seen = screen.len();
            let answer = answer(&String::from_utf8_lossy(&screen));
            input.write_all(answer.as_bytes()).expect("a keyboard");
            input.flush().expect("a keyboard");
        }
        output.read_to_end(&mut screen).expect("a screen");
        drop(input);
        let code = child.wait().expect("an end").code().unwrap_or(-1);
        let screen = without_waiting(&self.world.normalized(&screen).replace("\r\n", "\n"));
        for secret in self.secrets() {
            assert!(!screen.contains(&secret), "a secret on the screen of {:?}", self.arguments);
        }
        self.search_files();
        Some((code, screen))
    }
}

/// The exit code as a shell tells it: 128 and the signal's number for what died of a signal.
pub(crate) fn exit_code(status: &ExitStatus) -> Option<i32> {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(status) {
        return Some(128 + signal);
    }
    status.code()
}

/// A screen without the line that says what is waited for, as it is drawn where this machine is slow, and cleared.
#[cfg(unix)]
fn without_waiting(screen: &str) -> String {
    const CLEAR: &str = "\r\u{1b}[2K";
    let is_spinner = |character: char| ('\u{2800}'..='\u{28ff}').contains(&character);
    let (mut left, mut rest) = (String::new(), screen);
    while let Some(at) = rest.find(is_spinner) {
        left.push_str(rest[..at].trim_end_matches(CLEAR));
        let frame = rest[at..].find(['\r', '\n', '\u{1b}']).map_or(rest.len(), |end| at + end);
        rest = rest[frame..].trim_start_matches(CLEAR);
    }
    left + rest
}

/// The program for tests that copy it: without what only a debugger needs, if this machine can remove that, because it is
/// five times as large with it.
#[cfg(unix)]
pub(crate) fn light_program() -> &'static Path {
    static LIGHT: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    LIGHT.get_or_init(|| {
        let (program, folder) = (Path::new(env!("CARGO_BIN_EXE_cec")), Path::new(env!("CARGO_TARGET_TMPDIR")));
        let (made, light) = (folder.join(format!("cec-{}", std::process::id())), folder.join("cec-light"));
        let stripped = Command::new("strip").arg("-o").arg(&made).arg(program).stderr(Stdio::null()).status();
        let is_made = cfg!(target_os = "linux") && stripped.is_ok_and(|status| status.success());
        // Another run of the tests may be using the file of that name: it is replaced as a whole.
        if is_made && fs::rename(&made, &light).is_ok() { light } else { program.to_owned() }
    })
}

/// Copies the program, by another process: a file that this one had open for writing could not be started for a moment.
#[cfg(unix)]
pub(crate) fn copy_program(target: &Path) {
    let copied = Command::new("cp").arg(light_program()).arg(target).status().expect("cp");
    assert!(copied.success());
}

/// Says what a test lacks, and so does not test; in CI that is a failure.
pub(crate) fn skipped(what: &str) {
    let _ = writeln!(std::io::stdout(), "skipped: needs {what}");
}

/// What a run left behind. The server's URL, its port and the home folder are written `URL`, `PORT` and `HOME`.
///
/// Its [`Display`](fmt::Display) is for inline snapshots: see [`shown`].
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// What followed `cec` on the command line.
    arguments: String,
    /// Standard output as it was.
    pub(crate) bytes: Vec<u8>,
}

impl fmt::Display for Run {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&shown(self.code, &self.stdout, &self.stderr))
    }
}

/// A run as one text: what is on the two streams, below `[stdout]` and `[stderr]` if they are not empty, and the exit
/// code. `[no newline]` stands at the end of a stream that does not end its last line.
///
/// What differs from run to run is replaced:
///
/// | in the output | in the text |
/// |---|---|
/// | the server's URL, its port, the home folder | `URL`, `:PORT`, `HOME` (in [`Run`] already) |
/// | a UUID | `UUID` |
/// | a time in RFC 3339, such as `2031-02-03T04:05:06.789Z` | `TIME` |
/// | the 12 hexadecimal digits that name a public link | `LINK` |
/// | a duration, such as in `done: 1 file (1 B) in 0.1s` | `DURATION` |
/// | the version of `cec` | `VERSION` |
pub(crate) fn shown(code: i32, stdout: &str, stderr: &str) -> String {
    let mut text = String::new();
    for (name, stream) in [("stdout", stdout), ("stderr", stderr)].iter().filter(|(_, stream)| !stream.is_empty()) {
        let end = if stream.ends_with('\n') { "" } else { "[no newline]\n" };
        text += &format!("[{name}]\n{}{end}", redacted(stream));
    }
    text + &format!("[exit code {code}]")
}

fn redacted(text: &str) -> String {
    let is_like = |text: &str, shape: &str| {
        let fits = |(have, wanted): (u8, u8)| match wanted {
            b'h' => have.is_ascii_hexdigit(),
            b'9' => have.is_ascii_digit(),
            other => have == other,
        };
        text.len() >= shape.len() && text.bytes().zip(shape.bytes()).all(fits)
    };
    let is_word = |character: char| character.is_alphanumeric() || character == '-';
    let text = text.replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let (mut seen, mut rest) = (String::new(), text.as_str());
    while let Some(first) = rest.chars().next() {
        if is_like(rest, UUID) {
            seen += "UUID";
            rest = &rest[UUID.len()..];
        } else if is_like(rest, TIME) {
            seen += "TIME";
            rest =
                rest[TIME.len()..].trim_start_matches(|character: char| character == '.' || character.is_ascii_digit());
            let zone =
                if is_like(rest, "+99:99") || is_like(rest, "-99:99") { 6 } else { usize::from(rest.starts_with('Z')) };
            rest = &rest[zone..];
        } else if is_like(rest, LINK) && !seen.ends_with(is_word) && !rest[LINK.len()..].starts_with(is_word) {
            seen += "LINK";
            rest = &rest[LINK.len()..];
        } else if is_like(rest, DURATION) {
            seen += " in DURATION";
            rest = &rest[DURATION.len()..];
            // Only a run that takes a while has a speed.
            if let Some((speed, after)) = rest.strip_prefix(" (").and_then(|rest| rest.split_once("/s)"))
                && speed.len() < 12
            {
                rest = after;
            }
        } else {
            seen.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    seen
}

/// Several runs as one text: each command line, and what [`shown`] makes of its run.
pub(crate) fn transcript(runs: impl IntoIterator<Item = Run>) -> String {
    runs.into_iter().map(|run| format!("$ cec {}\n{run}\n", run.arguments)).collect()
}

#[test]
fn a_snapshot_has_no_part_that_differs_from_run_to_run() {
    let told = "at 2031-02-03T04:05:06.789Z, 2031-02-03T04:05:06+01:00. 2031-02-03 in 0.1s\n in 1.2s (3.4 MiB/s)\n";
    let id = "x 0f8fad5b-d9cb-469f-a165-70867728950e-y URL/public/0123456789ab 0123456789abc";
    let version = concat!("cec ", env!("CARGO_PKG_VERSION"), "\n");
    insta::assert_snapshot!(shown(3, &format!("{version}{id}"), told), @r"
    [stdout]
    cec VERSION
    x UUID-y URL/public/LINK 0123456789abc[no newline]
    [stderr]
    at TIME, TIME. 2031-02-03 in DURATION
     in DURATION
    [exit code 3]
    ");
    assert_eq!(shown(0, "", ""), "[exit code 0]");
}

impl Run {
    /// Compares exit code, standard output and standard error at once.
    #[track_caller]
    pub(crate) fn is(&self, code: i32, stdout: &str, stderr: &str) {
        assert_eq!((self.code, self.stdout.as_str(), self.stderr.as_str()), (code, stdout, stderr));
    }

    /// Standard output as one JSON document, after a run without complaints.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""), "{}", self.stdout);
        serde_json::from_str(&self.stdout).expect("JSON")
    }

    /// Standard error as one JSON document, after a failed run without results.
    #[track_caller]
    pub(crate) fn json_error(&self, code: i32) -> serde_json::Value {
        assert_eq!((self.code, self.stdout.as_str()), (code, ""), "{}", self.stderr);
        serde_json::from_str(&self.stderr).expect("JSON")
    }
}

/// The names of a JSON object's fields, in order.
#[track_caller]
pub(crate) fn fields(value: &serde_json::Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}
