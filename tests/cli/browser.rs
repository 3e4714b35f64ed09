//! Signing in with a browser that comes back to port 3000. All tests here take turns on that port, whatever program they
//! are in. Two kinds of browser: a few requests, and a real Chromium where there is one; both are started by a stub
//! `xdg-open`, which writes down the address.

#![cfg(all(unix, not(target_os = "macos")))]

use std::fs::{self, File};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::raw::Answer;
use crate::support::http::ask;
use crate::support::{Cec, PATIENCE, World, exit_code, wait_for};

/// Port 3000 of this machine, held by one test at a time.
fn port_3000() -> File {
    let path = std::env::temp_dir().join("cec-tests-port-3000.lock");
    let file = File::options().create(true).write(true).truncate(false).open(path).expect("a lock file");
    file.lock().expect("the lock");
    file
}

/// Puts a stub browser into the world, which opens nothing if it gets a secret of the environment; gives the folder to put
/// in front of PATH, and where the address is written.
fn stub(world: &World) -> (String, PathBuf) {
    let folder = world.home().join("stub");
    fs::create_dir_all(&folder).expect("a folder");
    let address = world.home().join("opened");
    let program = folder.join("xdg-open");
    let script = format!(
        "#!/bin/sh\n[ -z \"$CEC_HEADER\" ] || exit 1\nprintf '%s' \"$1\" > '{0}.new' && mv '{0}.new' '{0}'\n",
        address.display()
    );
    fs::write(&program, script).expect("a script");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a mode");
    (format!("{}:/usr/bin:/bin", folder.display()), address)
}

fn configure<'a>(world: &'a World, path: &str) -> Cec<'a> {
    let _ = fs::remove_file(world.home().join("opened"));
    world
        .signed_out(["configure", "oauth", world.url(), "--skip-keyring"])
        .env("DISPLAY", ":0")
        .env("PATH", path)
        .env("CEC_HEADER", "X-Proxy: secret-of-a-proxy")
}

/// The address that the stub was given.
fn opened(file: &Path) -> String {
    let started = Instant::now();
    loop {
        if let Ok(address) = fs::read_to_string(file) {
            return address;
        }
        assert!(started.elapsed() < PATIENCE, "no browser was opened");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Where the login page sends a browser: to the callback with a code, or with a refusal.
fn log_in(world: &World, address: &str, login: Option<&str>) -> String {
    let host = world.url().strip_prefix("http://").expect("a host").to_owned();
    let target = address.strip_prefix(world.url()).expect("the server's own page");
    let page = ask(&host, "GET", target, None);
    let challenge = page.header("location").split("login_challenge=").nth(1).expect("a challenge")[..32].to_owned();
    let Some(login) = login else {
        let answer = ask(&host, "GET", &format!("/oauth2/login?cancel=1&login_challenge={challenge}"), None);
        return answer.header("location").to_owned();
    };
    let info = json!({"AuthInfo": {
        "type": "credentials", "login": login, "password": world.sandbox.password(login), "challenge": challenge,
    }});
    let answer = ask(&host, "POST", "/a/frontend/session", Some(&info)).json();
    answer["RedirectTo"].as_str().expect("a redirect").to_owned()
}

fn visit(address: &str) -> Answer {
    let (host, path) = address.strip_prefix("http://").and_then(|text| text.split_once('/')).expect("an address");
    ask(host, "GET", &format!("/{path}"), None)
}

#[test]
fn the_browser_comes_back_and_the_account_is_stored() {
    let _turn = port_3000();
    let world = World::new();
    let (path, file) = stub(&world);
    let child = configure(&world, &path).spawn();
    let address = opened(&file);
    assert_eq!(visit("http://localhost:3000/favicon.ico").status, 404);
    let page = visit(&log_in(&world, &address, Some("alice"))).text();
    assert!(page.contains("<h1>Signed in as alice</h1>") && page.contains("You can close this tab."), "{page}");
    let output = child.wait_with_output().expect("an end");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains(&address), "the address is always shown: {told}");
    assert!(told.contains("signed in as alice on "), "{told}");
    let stored = fs::read_to_string(world.config_file()).expect("config.json");
    let stored: Value = serde_json::from_str(&stored).expect("JSON");
    let account = &stored["Configs"][format!("alice@127.0.0.1:{}", world.port())];
    assert_eq!(account["authType"], "oauth2");
    for secret in ["idToken", "refreshToken"] {
        let secret = account[secret].as_str().expect("a token");
        assert!(!told.contains(secret) && !page.contains(secret));
    }
    assert_snapshot!(world.signed_out(["ls"]).run(), @"
    [stdout]
    a1-ro/
    common-files/
    personal-files/
    [exit code 0]
    ");
}

#[test]
fn a_refusal_in_the_browser_is_told_on_both_sides() {
    let _turn = port_3000();
    let world = World::new();
    let (path, file) = stub(&world);
    let child = configure(&world, &path).spawn();
    let page = visit(&log_in(&world, &opened(&file), None)).text();
    assert!(page.contains("<h1>cec is not signed in</h1>") && page.contains("access_denied"), "{page}");
    let output = child.wait_with_output().expect("an end");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{told}");
    assert!(told.contains("error: the server refused the sign-in: The resource owner"), "{told}");
    assert!(told.contains("hint: run it again to return to the sign-in page"), "{told}");
    assert!(!world.config_file().exists());
}

#[test]
fn the_program_that_browser_names_gets_the_address() {
    let _turn = port_3000();
    let world = World::new();
    let (path, file) = stub(&world);
    // Elsewhere than on the path, and with an argument of its own.
    let helper = world.home().join("helper.sh");
    let script = format!("#!/bin/sh\nprintf '%s' \"$2\" > '{0}.new' && mv '{0}.new' '{0}'\n", file.display());
    fs::write(&helper, script).expect("a script");
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).expect("a mode");
    let browser = format!("/nowhere/at-all:{} --new-window %s", helper.display());
    let mut child = configure(&world, &path).env("BROWSER", &browser).env("SSH_CONNECTION", "x").spawn();
    let address = opened(&file);
    assert!(address.contains("/oidc/oauth2/auth?"), "{address}");
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill runs").success());
    child.wait().expect("an end");
}

#[test]
fn an_interrupt_leaves_nothing() {
    let _turn = port_3000();
    let world = World::new();
    let (path, file) = stub(&world);
    let mut child = configure(&world, &path).spawn();
    opened(&file);
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill runs").success());
    assert_eq!(exit_code(&child.wait().expect("an end")), Some(130));
    assert!(TcpListener::bind("127.0.0.1:3000").is_ok(), "the port is free again");
    assert!(!world.config_file().exists());
}

#[test]
fn a_port_that_is_taken_means_pasting() {
    let _turn = port_3000();
    let world = World::new();
    let (path, file) = stub(&world);
    let _taken = TcpListener::bind("127.0.0.1:3000").expect("the port");
    let run = configure(&world, &path).run();
    assert_snapshot!(run, @"
    [stderr]
    error: port 3000 of this machine, which the browser must return to, is in use, and there is no terminal to paste a code into
      hint: run it on a terminal, or sign in with a token: cec configure token --with-token
    [exit code 2]
    ");
    let screen = configure(&world, &path).on_terminal(&[("Then paste the code shown there: ", "\u{3}")]);
    if let Some((code, screen)) = screen {
        assert_eq!(code, 130, "{screen}");
        assert!(screen.contains("is in use: paste the code instead") && screen.contains("oauth2%2Foob"), "{screen}");
    }
    assert!(!file.exists(), "no browser was opened");
}

/// The last address of a login page on the screen.
fn shown_address(screen: &str) -> String {
    let line = screen.lines().rfind(|line| line.contains("/oidc/oauth2/auth?"));
    line.expect("an address").trim().to_owned()
}

fn bare_code(address: &str) -> String {
    let code = address.split("code=").nth(1).and_then(|text| text.split('&').next());
    code.expect("a code").to_owned()
}

#[test]
fn without_a_browser_here_the_code_or_the_whole_address_is_pasted() {
    const ASK: &str = "Then paste the code shown there: ";
    for whole in [false, true] {
        let world = World::new();
        let configure = world.signed_out(["configure", "oauth", world.url(), "--skip-keyring", "--no-browser"]);
        let ended = configure.talk([ASK], &mut |screen: &str| {
            let address = log_in(&world, &shown_address(screen), Some("alice"));
            assert!(address.starts_with(&format!("{}/oauth2/oob?code=", world.url())), "{address}");
            format!("{}\n", if whole { address } else { bare_code(&address) })
        });
        let Some((code, screen)) = ended else { return };
        assert_eq!(code, 0, "{screen}");
        assert!(screen.contains("signed in as alice on URL (Pydio Cells Home Edition 4.0.0)\n"), "{screen}");
        world.signed_out(["ls"]).run().is(0, "a1-ro/\ncommon-files/\npersonal-files/\n", "");
    }
    // What was declined is declined.
    let world = World::new();
    let configure = world.signed_out(["configure", "oauth", world.url(), "--skip-keyring", "--no-browser"]);
    let mut answer = |screen: &str| format!("{}\n", log_in(&world, &shown_address(screen), None));
    let (code, screen) = configure.talk([ASK], &mut answer).expect("a terminal");
    assert_eq!(code, 4, "{screen}");
    assert!(screen.contains("denied the request") && !world.config_file().exists(), "{screen}");
}

#[test]
fn while_the_browser_is_waited_for_its_address_can_be_pasted() {
    const ASK: &str = "Waiting for the browser (or paste the last address that it shows): ";
    let _turn = port_3000();
    let world = World::new();
    let (path, _) = stub(&world);
    let address = |screen: &str| {
        // The browser runs on another machine, and cannot reach this one.
        let address = log_in(&world, &shown_address(screen), Some("alice"));
        assert!(address.starts_with("http://localhost:3000/servers/callback?code="), "{address}");
        address
    };
    let mut tries = 0;
    let mut answer = |screen: &str| {
        tries += 1;
        let address = address(screen);
        match (tries, address.split_once("&state=")) {
            (1, Some((start, _))) => format!("{start}&state=another-state-altogether\n"),
            _ => format!("{address}\n"),
        }
    };
    let Some((code, screen)) = configure(&world, &path).talk([ASK, ASK], &mut answer) else { return };
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("Not usable: this belongs to another sign-in"), "{screen}");
    assert!(screen.contains("signed in as alice on URL"), "{screen}");
    assert!(TcpListener::bind("127.0.0.1:3000").is_ok(), "the port is free again");
}

/// A Chromium under the control of its driver, with a fresh profile.
struct Chromium {
    driver: Child,
    port: u16,
    session: String,
    _profile: tempfile::TempDir,
}

impl Chromium {
    /// `None`, with a word about it, where there is none.
    fn start() -> Option<Self> {
        let exists = |name: &str| Path::new("/usr/bin").join(name).exists();
        if !exists("chromium") || !exists("chromedriver") {
            let line = "skipped: needs chromium and chromedriver (apt-get install chromium chromium-driver)";
            let _ = writeln!(std::io::stdout(), "{line}");
            return None;
        }
        let profile = tempfile::tempdir().expect("a profile");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let driver = Command::new("/usr/bin/chromedriver")
            .arg(format!("--port={port}"))
            .env_clear()
            .env("HOME", profile.path())
            .env("PATH", "/usr/bin:/bin")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        wait_for("chromedriver", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        let mut chromium = Self { driver, port, session: String::new(), _profile: profile };
        let folder = format!("--user-data-dir={}", chromium._profile.path().join("profile").display());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            &folder,
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": "/usr/bin/chromium", "args": arguments},
        }}});
        let session = chromium.call("POST", "", &wanted);
        chromium.session = format!("/{}", session["sessionId"].as_str().expect("a session"));
        Some(chromium)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let target = format!("/session{}{path}", self.session);
        let body = (method == "POST").then_some(body);
        ask(&format!("127.0.0.1:{}", self.port), method, &target, body).json()["value"].clone()
    }

    fn open(&self, address: &str) {
        self.call("POST", "/url", &json!({"url": address}));
    }

    /// Waits for an element that can be used, and does something with it.
    fn with(&self, id: &str, what: &str, body: &Value) {
        let started = Instant::now();
        loop {
            let found = self.call("POST", "/element", &json!({"using": "css selector", "value": format!("#{id}")}));
            let element = found.as_object().and_then(|found| found.values().next()?.as_str().map(str::to_owned));
            let done = element.map(|element| self.call("POST", &format!("/element/{element}/{what}"), body));
            if done.is_some_and(|done| done.is_null()) {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "no {id} to {what}: {}", self.text());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn type_into(&self, id: &str, text: &str) {
        self.with(id, "clear", &json!({}));
        self.with(id, "value", &json!({"text": text}));
    }

    fn log_in(&self, login: &str, password: &str) {
        self.type_into("application-login", login);
        self.type_into("application-password", password);
        self.with("dialog-login-submit", "click", &json!({}));
    }

    /// What the page shows.
    fn text(&self) -> String {
        let script = json!({"script": "return document.body ? document.body.innerText : ''", "args": []});
        self.call("POST", "/execute/sync", &script).as_str().unwrap_or_default().to_owned()
    }

    fn wait_for(&self, text: &str) -> String {
        let started = Instant::now();
        loop {
            let shown = self.text();
            if shown.contains(text) {
                return shown;
            }
            assert!(started.elapsed() < PATIENCE, "no '{text}' on the page: {shown}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.call("DELETE", "", &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

#[test]
fn a_real_browser_signs_in_mistypes_and_cancels() {
    let Some(chromium) = Chromium::start() else { return };
    let _turn = port_3000();
    let world = World::new();
    let (path, file) = stub(&world);

    let child = configure(&world, &path).spawn();
    chromium.open(&opened(&file));
    chromium.log_in("alice", "not-the-password");
    chromium.wait_for("Login failed");
    chromium.log_in("alice", world.sandbox.password("alice"));
    let page = chromium.wait_for("Signed in as alice");
    assert!(page.contains("You can close this tab."), "{page}");
    let output = child.wait_with_output().expect("an end");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("signed in as alice on "), "{told}");
    assert_snapshot!(world.signed_out(["ls"]).run(), @"
    [stdout]
    a1-ro/
    common-files/
    personal-files/
    [exit code 0]
    ");

    fs::remove_file(world.config_file()).expect("it was stored");
    let child = configure(&world, &path).spawn();
    chromium.open(&opened(&file));
    chromium.with("dialog-login-cancel", "click", &json!({}));
    chromium.wait_for("cec is not signed in");
    let output = child.wait_with_output().expect("an end");
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!world.config_file().exists());
}
