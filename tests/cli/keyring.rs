//! The system keyring of Linux: a real one, on a session bus of its own, with a home of its own.

#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use insta::assert_snapshot;

use crate::support::{Cec, World};

const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:tmpdir=/tmp</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

/// A session bus with a keyring on it.
struct Desktop {
    bus: Child,
    keyring: Option<Child>,
    address: String,
    variables: Vec<(String, String)>,
}

impl Drop for Desktop {
    fn drop(&mut self) {
        for child in self.keyring.iter_mut().chain([&mut self.bus]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Desktop {
    /// `None`, with a word about it, where the programs are not there. With `unlocked` the keyring is open.
    fn start(world: &World, unlocked: bool) -> Option<Self> {
        for (program, package) in
            [("dbus-daemon", "dbus"), ("gnome-keyring-daemon", "gnome-keyring"), ("secret-tool", "libsecret-tools")]
        {
            if !Path::new("/usr/bin").join(program).exists() {
                let _ = writeln!(std::io::stdout(), "skipped: needs {program} (apt-get install {package})");
                return None;
            }
        }
        let home = world.home().display().to_string();
        let runtime = world.home().join("run");
        fs::create_dir_all(&runtime).expect("a folder");
        let variables: Vec<(String, String)> = [
            ("HOME", home.clone()),
            ("PATH", "/usr/bin:/bin".to_owned()),
            ("XDG_RUNTIME_DIR", runtime.display().to_string()),
            ("XDG_DATA_HOME", format!("{home}/data")),
            ("XDG_CONFIG_HOME", format!("{home}/.config")),
            ("XDG_CACHE_HOME", format!("{home}/cache")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec();
        // A bus that starts no service by itself: it would be another keyring than the one below.
        let bus_file = world.home().join("bus.conf");
        fs::write(&bus_file, BUS).expect("a file");
        let mut bus = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", bus_file.display()))
            .args(["--nofork", "--print-address"])
            .env_clear()
            .envs(variables.iter().cloned())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a bus");
        let mut address = String::new();
        BufReader::new(bus.stdout.take().expect("a pipe")).read_line(&mut address).expect("an address");
        let mut desktop = Self { bus, keyring: None, address: address.trim().to_owned(), variables };
        // The first start makes the collection, with this password.
        desktop.start_keyring(Some("a keyring password"));
        if !unlocked {
            desktop.stop_keyring();
            desktop.start_keyring(None);
        }
        Some(desktop)
    }

    fn start_keyring(&mut self, password: Option<&str>) {
        let mut command = Command::new("gnome-keyring-daemon");
        command.args(["--foreground", "--components=secrets"]);
        if password.is_some() {
            command.arg("--unlock");
        }
        let mut child = command
            .env_clear()
            .envs(self.variables.iter().cloned())
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a keyring");
        if let Some(password) = password {
            child.stdin.take().expect("a pipe").write_all(password.as_bytes()).expect("a password");
        }
        self.keyring = Some(child);
        for _ in 0..400 {
            let found = self.tool(&["search", "service", "nothing"], None);
            if found.is_some_and(|(_, complaint)| {
                !complaint.contains("ServiceUnknown") && !complaint.contains("not provided")
            }) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(25));
        }
        panic!("no keyring came up");
    }

    fn stop_keyring(&mut self) {
        if let Some(mut keyring) = self.keyring.take() {
            let _ = keyring.kill();
            let _ = keyring.wait();
        }
    }

    /// Runs secret-tool; gives what it printed and what it complained of.
    fn tool(&self, arguments: &[&str], input: Option<&str>) -> Option<(String, String)> {
        let mut child = Command::new("secret-tool")
            .args(arguments)
            .env_clear()
            .envs(self.variables.iter().cloned())
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .ok()?;
        let mut pipe = child.stdin.take()?;
        pipe.write_all(input.unwrap_or_default().as_bytes()).ok()?;
        drop(pipe);
        let output = child.wait_with_output().ok()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some((text(&output.stdout), text(&output.stderr)))
    }

    /// What the keyring holds for a user.
    fn item(&self, user: &str) -> String {
        self.tool(&["lookup", "service", "com.pydio.cells-client", "username", user], None).expect("secret-tool").0
    }

    fn put(&self, user: &str, secret: &str) {
        self.put_into("login", user, secret);
    }

    /// Keeps a secret in one of several collections.
    fn put_into(&self, collection: &str, user: &str, secret: &str) {
        let label = format!("Password for '{user}' on 'com.pydio.cells-client'");
        let place = format!("--collection={collection}");
        let arguments = ["store", &place, "--label", &label, "service", "com.pydio.cells-client", "username", user];
        for _ in 0..400 {
            let (_, complaint) = self.tool(&arguments, Some(secret)).expect("secret-tool");
            if complaint.is_empty() {
                return;
            }
            // The service is up a little before its collections.
            assert!(complaint.contains("does not exist"), "{complaint}");
            std::thread::sleep(std::time::Duration::from_millis(25));
        }
        panic!("no collection {collection} came up");
    }

    /// How many items a user has, in all collections.
    fn count(&self, user: &str) -> usize {
        let arguments = ["search", "--all", "service", "com.pydio.cells-client", "username", user];
        let (found, more) = self.tool(&arguments, None).expect("secret-tool");
        (found + &more).matches("label = ").count()
    }

    /// `cec` on this desktop, signed in nowhere.
    fn cec<'a>(&self, world: &'a World, arguments: &[&'a str]) -> Cec<'a> {
        let run = world.signed_out(arguments.iter().copied()).env("CEC_KEYRING", "system");
        let run = run.env("DBUS_SESSION_BUS_ADDRESS", &self.address);
        self.variables.iter().fold(run, |run, (name, value)| run.env(name, value))
    }
}

const ALICES: &str = "a1-ro/\ncommon-files/\npersonal-files/\n";

#[test]
fn secrets_go_to_the_keyring_where_both_clients_find_them() {
    let world = World::new();
    let Some(desktop) = Desktop::start(&world, true) else { return };
    let token = world.sandbox.token("alice");
    let run = desktop.cec(&world, &["configure", "token", "--url", world.url(), "-t", &token]).run();
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{run:?}");
    assert!(!run.stderr.contains("clear text"), "{run:?}");
    let file = fs::read_to_string(world.config_file()).expect("config.json");
    assert!(!file.contains(&token) && file.contains("\"skipKeyring\": false"), "{file}");
    let user = format!("{}::alice", world.url());
    assert_eq!(desktop.item(&user), token);
    let (found, more) =
        desktop.tool(&["search", "--all", "service", "com.pydio.cells-client"], None).expect("a search");
    let found = found + &more;
    for line in [
        format!("label = Password for '{user}' on 'com.pydio.cells-client'"),
        "attribute.service = com.pydio.cells-client".to_owned(),
        format!("attribute.username = {user}"),
    ] {
        assert!(found.contains(&line), "{line}\n{found}");
    }
    assert_snapshot!(desktop.cec(&world, &["ls"]).run(), @"
    [stdout]
    a1-ro/
    common-files/
    personal-files/
    [exit code 0]
    ");
    let info = desktop.cec(&world, &["info", "--json"]).run().json();
    assert_eq!(info["stored_in"], "the system keyring");
    assert_eq!(desktop.cec(&world, &["clear", "-f"]).run().code, 0);
    assert_eq!(desktop.item(&user), "");
}

#[test]
fn items_of_the_older_client_are_read_renewed_and_renamed() {
    let world = World::new();
    let Some(desktop) = Desktop::start(&world, true) else { return };
    world.install_config(
        &include_str!("../recordings/config/keyring-pat.json")
            .replace("https://files.example.com", "http://127.0.0.1:8080")
            .replace("\"admin\"", "\"alice\""),
    );
    let user = format!("{}::alice", world.url());
    desktop.put(&user, &world.sandbox.token("alice"));
    assert_snapshot!(desktop.cec(&world, &["ls"]).run(), @"
    [stdout]
    a1-ro/
    common-files/
    personal-files/
    [exit code 0]
    ");
    // A session whose token has ended, under the name that old versions gave it.
    let pair = world.sandbox.sign_in("alice");
    world.sandbox.revoke_token(&pair.access);
    desktop.put(&format!("{}::IdToken", world.url()), &format!("{}__//__{}", pair.access, pair.refresh));
    desktop.tool(&["clear", "service", "com.pydio.cells-client", "username", &user], None);
    world.install_config(
        &include_str!("../recordings/config/keyring-pat.json")
            .replace("https://files.example.com", "http://127.0.0.1:8080")
            .replace("\"admin\"", "\"alice\"")
            .replace("\"pat\"", "\"oauth2\""),
    );
    assert_snapshot!(desktop.cec(&world, &["ls"]).run(), @"
    [stdout]
    a1-ro/
    common-files/
    personal-files/
    [exit code 0]
    ");
    assert_eq!(desktop.item(&format!("{}::IdToken", world.url())), "");
    let item = desktop.item(&user);
    let (access, refresh) = item.split_once("__//__").expect("a pair");
    assert!(world.sandbox.is_alive(access) && refresh != pair.refresh);
}

#[test]
fn of_two_items_in_two_collections_the_newer_one_counts_and_one_is_left() {
    for (older, newer) in [("login", "session"), ("session", "login")] {
        let world = World::new();
        let Some(desktop) = Desktop::start(&world, true) else { return };
        world.install_config(
            &include_str!("../recordings/config/keyring-pat.json")
                .replace("https://files.example.com", "http://127.0.0.1:8080")
                .replace("\"admin\"", "\"alice\""),
        );
        let user = format!("{}::alice", world.url());
        desktop.put_into(older, &user, "outdated-token-of-another-day");
        // Their age is told in seconds.
        std::thread::sleep(std::time::Duration::from_millis(1100));
        desktop.put_into(newer, &user, &world.sandbox.token("alice"));
        assert_eq!(desktop.count(&user), 2);
        desktop.cec(&world, &["ls"]).run().is(0, ALICES, "");
        let again = ["configure", "token", world.url(), "--with-token"];
        let run = desktop.cec(&world, &again).input(&world.sandbox.token("alice")).run();
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!((desktop.count(&user), desktop.item(&user)), (1, world.sandbox.token("alice")));
        desktop.put_into(older, &user, "outdated-token-of-another-day");
        assert_eq!(desktop.count(&user), 2);
        assert_eq!(desktop.cec(&world, &["clear", "-f"]).run().code, 0);
        assert_eq!(desktop.count(&user), 0);
    }
}

#[test]
fn a_locked_keyring_is_given_up_after_three_seconds() {
    let world = World::new();
    let Some(desktop) = Desktop::start(&world, false) else { return };
    let token = world.sandbox.token("alice");
    let run = desktop.cec(&world, &["configure", "token", "--url", world.url(), "-t", &token]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: the secret cannot be stored: the system keyring is locked
      hint: unlock the keyring (sign in to the desktop, or use the keyring's own program), then try again
      hint: add --skip-keyring to keep the secret in config.json, readable by you only
    [exit code 4]
    ");
    assert!(!world.config_file().exists());
    let run = desktop.cec(&world, &["configure", "token", "--url", world.url(), "-t", &token, "--skip-keyring"]).run();
    assert_eq!(run.code, 0, "{run:?}");
    assert_snapshot!(desktop.cec(&world, &["ls"]).run(), @"
    [stdout]
    a1-ro/
    common-files/
    personal-files/
    [exit code 0]
    ");
}

#[test]
fn without_a_bus_there_is_no_keyring() {
    let world = World::new();
    let token = world.sandbox.token("alice");
    let address = format!("unix:path={}/nowhere", world.home().display());
    let run = world
        .signed_out(["configure", "token", "--url", world.url(), "-t", &token])
        .env("CEC_KEYRING", "system")
        .env("DBUS_SESSION_BUS_ADDRESS", &address)
        .run();
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.stderr.matches("warning:").count(), 1, "{run:?}");
    assert_snapshot!(run, @"
    [stderr]
    signed in as alice on URL (Pydio Cells Home Edition 4.0.0)
    the token expires at the time that its creator set
    warning: the token is stored in clear text in HOME/.config/pydio/cells-client/config.json, which only you can read; there is no system keyring (no Secret Service on the session bus)
    hint: try: cec ls
    [exit code 0]
    ");
}

#[test]
fn the_doctor_tries_the_keyring_and_looks_at_the_server_all_the_same() {
    let world = World::new();
    let Some(desktop) = Desktop::start(&world, true) else { return };
    let token = world.sandbox.token("alice");
    assert_eq!(desktop.cec(&world, &["configure", "token", "--url", world.url(), "-t", &token]).run().code, 0);
    let run = desktop.cec(&world, &["doctor"]).run();
    assert_eq!(run.code, 0, "{run:?}");
    let first: Vec<&str> = run.stdout.lines().take(3).collect();
    let wanted = [
        "config\tok\t1 account in HOME/.config/pydio/cells-client/config.json\t-",
        "keyring\tok\tit stores and returns secrets\t-",
        "account\tok\talice@127.0.0.1:PORT: the personal access token is in the system keyring\t-",
    ];
    assert_eq!(first, wanted);
    let (left, _) = desktop.tool(&["search", "--all", "service", "com.pydio.cells-client"], None).expect("a search");
    assert!(!left.contains("test.example.com"), "{left}");
}

#[test]
fn the_doctor_tells_of_a_locked_keyring_and_looks_at_the_server_all_the_same() {
    let world = World::new();
    let Some(mut desktop) = Desktop::start(&world, true) else { return };
    let token = world.sandbox.token("alice");
    assert_eq!(desktop.cec(&world, &["configure", "token", "--url", world.url(), "-t", &token]).run().code, 0);
    desktop.stop_keyring();
    desktop.start_keyring(None);
    let run = desktop.cec(&world, &["doctor"]).run();
    assert_eq!(run.code, 4, "{run:?}");
    let row = |check: &str| run.stdout.lines().find(|line| line.starts_with(&format!("{check}\t"))).expect("a row");
    for check in ["keyring", "account"] {
        assert!(row(check).contains("\tfailed\t") && row(check).contains("unlock the keyring"), "{run:?}");
    }
    assert!(row("server").starts_with("server\tok\t") && row("rest").starts_with("rest\tskipped\t"), "{run:?}");
}
