//! `cec update`, with a copy of the program that may be replaced.
#![cfg(unix)]

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cells_sandbox::{Fault, Release};
use insta::assert_snapshot;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};

use crate::support::{Cec, World, copy_program, light_program, transcript};

const KEY: &[u8] = include_bytes!("../fixtures/update-test-key.der");
const PUBLIC: &str = include_str!("../fixtures/update-test-key.spki.pem");
const OTHER: &str = include_str!("../fixtures/other-test-key.spki.pem");

/// A program that says that it is this version, as a script.
fn program(version: &str) -> Vec<u8> {
    format!("#!/bin/sh\necho '{{\"version\":\"{version}\"}}'\n").into_bytes()
}

/// A release for this system, signed with the key of the tests.
fn release(version: &str, content: Vec<u8>) -> Release {
    let key = RsaKeyPair::from_pkcs8(KEY).expect("a key");
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &content, &mut signature).expect("a signature");
    let platform = World::new().signed_out(["version", "--json"]).run().json();
    Release {
        channel: "stable".to_owned(),
        version: version.to_owned(),
        os: platform["os"].as_str().expect("a system").to_owned(),
        arch: platform["arch"].as_str().expect("a processor").to_owned(),
        checksum: STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, &content)),
        signature: STANDARD.encode(signature),
        content,
    }
}

/// A machine with an installed program, and what runs it.
struct Machine {
    world: World,
    installed: PathBuf,
}

impl Machine {
    fn new() -> Self {
        let world = World::new();
        let folder = world.home().join("bin");
        fs::create_dir(&folder).expect("a folder");
        let installed = folder.join("cec");
        copy_program(&installed);
        fs::write(world.home().join("key.pem"), PUBLIC).expect("a key");
        fs::write(world.home().join("other.pem"), OTHER).expect("a key");
        Self { world, installed }
    }

    fn cec<'a>(&'a self, arguments: &[&'a str]) -> Cec<'a> {
        let run = self.world.signed_out(arguments.iter().copied()).program(&self.installed);
        run.env("CEC_UPDATE_URL", self.world.url()).env("CEC_UPDATE_KEY", "key.pem")
    }

    fn is_untouched(&self) -> bool {
        let same = fs::read(&self.installed).expect("it") == fs::read(light_program()).expect("the original");
        same && fs::read_dir(self.installed.parent().expect("a folder")).expect("a folder").count() == 1
    }
}

#[test]
fn an_update_is_checked_tried_and_put_in_place() {
    let machine = Machine::new();
    machine.world.sandbox.offer(release("98.0.0", program("98.0.0")));
    machine.world.sandbox.offer(release("99.1.0", program("99.1.0")));
    let listed = machine.cec(&["update"]).run();
    assert_snapshot!(listed, @"
    [stdout]
    98.0.0	cec 98.0.0	-
    99.1.0	cec 99.1.0	-
    [stderr]
    asking URL for updates
    install one with: cec update --version 99.1.0
    [exit code 0]
    ");
    assert!(machine.is_untouched(), "a list changes nothing");
    let planned = machine.cec(&["update", "-v", "latest", "--dry_run", "--json"]).run().json();
    assert_eq!((&planned["available"], &planned["updated"]), (&"99.1.0".into(), &false.into()));
    assert!(machine.is_untouched());
    let run = machine.cec(&["update", "-q", "-v", "latest"]).run();
    run.is(0, "", "");
    assert_eq!(fs::read(&machine.installed).expect("it"), program("99.1.0"));
    let version = env!("CARGO_PKG_VERSION");
    let kept = machine.world.config_folder().join(format!("cec-{version}"));
    assert_eq!(fs::read(kept).expect("the old one"), fs::read(light_program()).expect("the original"));
    assert_eq!(fs::read_dir(machine.installed.parent().expect("a folder")).expect("a folder").count(), 1);
}

#[test]
fn a_wanted_version_may_be_older_and_must_be_there() {
    let machine = Machine::new();
    machine.world.sandbox.offer(release("0.0.1", program("0.0.1")));
    let json = machine.cec(&["update", "--json"]).run().json();
    assert_eq!(json["available"], serde_json::Value::Null);
    assert_eq!(machine.cec(&["update", "--version", "7.7.7"]).run().code, 3);
    assert!(machine.is_untouched());
    machine.cec(&["update", "-q", "--version", "0.0.1"]).run().is(0, "", "");
    assert_eq!(fs::read(&machine.installed).expect("it"), program("0.0.1"));
}

#[test]
fn versions_that_are_not_released_are_for_those_who_ask() {
    let machine = Machine::new();
    machine.world.sandbox.offer(Release { channel: "dev".to_owned(), ..release("99.0.0-dev.1", program("x")) });
    assert_eq!(machine.cec(&["update", "--json"]).run().json()["available"], serde_json::Value::Null);
    let json = machine.cec(&["update", "--dev", "-d", "--json"]).run().json();
    assert_eq!(json["available"], "99.0.0-dev.1");
}

#[test]
fn nothing_is_changed_by_a_program_that_is_not_what_it_should_be() {
    let good = || release("99.0.0", program("99.0.0"));
    let cut = Release { content: program("99.0.0")[..20].to_vec(), ..good() };
    let offers = [
        (Release { checksum: STANDARD.encode([0; 32]), ..good() }, "key.pem"),
        (cut, "key.pem"),
        (Release { checksum: String::new(), ..good() }, "key.pem"),
        (Release { signature: String::new(), ..good() }, "key.pem"),
        (Release { signature: "!".to_owned(), ..good() }, "key.pem"),
        (Release { signature: STANDARD.encode([7; 256]), ..good() }, "key.pem"),
        (good(), "other.pem"),
        (release("99.0.0", b"no program at all".to_vec()), "key.pem"),
        (release("99.0.0", b"#!/bin/sh\nexit 3\n".to_vec()), "key.pem"),
        (release("99.0.0", program("1.0.0")), "key.pem"),
        (release("99.0.0", b"#!/bin/sh\n".to_vec()), "key.pem"),
    ];
    let refused = offers.map(|(offered, key)| {
        let machine = Machine::new();
        machine.world.sandbox.offer(offered);
        let run = machine.cec(&["update", "-q", "-v", "latest"]).env("CEC_UPDATE_KEY", key).run();
        assert!(machine.is_untouched(), "{run}");
        run
    });
    assert_snapshot!(transcript(refused), @"
    $ cec update -q -v latest
    [stderr]
    error: the downloaded program was rejected: its checksum is wrong
      hint: nothing was changed
    [exit code 9]
    $ cec update -q -v latest
    [stderr]
    error: the downloaded program was rejected: its checksum is wrong
      hint: nothing was changed
    [exit code 9]
    $ cec update -q -v latest
    [stderr]
    error: the downloaded program was rejected: it has no checksum or no signature
      hint: nothing was changed
    [exit code 9]
    $ cec update -q -v latest
    [stderr]
    error: the downloaded program was rejected: it has no checksum or no signature
      hint: nothing was changed
    [exit code 9]
    $ cec update -q -v latest
    [stderr]
    error: the downloaded program was rejected: its signature is malformed
      hint: nothing was changed
    [exit code 9]
    $ cec update -q -v latest
    [stderr]
    error: the downloaded program was rejected: it is not signed with the key that this program trusts
      hint: nothing was changed
    [exit code 9]
    $ cec update -q -v latest
    [stderr]
    error: the downloaded program was rejected: it is not signed with the key that this program trusts
      hint: nothing was changed
    [exit code 9]
    $ cec update -q -v latest
    [stderr]
    error: the new program is refused: it does not start: Exec format error
      hint: nothing was changed
    [exit code 9]
    $ cec update -q -v latest
    [stderr]
    error: the new program is refused: it exits with exit status: 3
      hint: nothing was changed
    [exit code 9]
    $ cec update -q -v latest
    [stderr]
    error: the new program is refused: it reports version 1.0.0, not 99.0.0
      hint: nothing was changed
    [exit code 9]
    $ cec update -q -v latest
    [stderr]
    error: the new program is refused: it does not report its version
      hint: nothing was changed
    [exit code 9]
    ");
}

#[test]
fn a_download_that_breaks_off_changes_nothing() {
    let machine = Machine::new();
    machine.world.sandbox.offer(release("99.0.0", vec![b'x'; 300_000]));
    machine.world.sandbox.faults().add(Fault::on("GET", "/a/update-server/files/").cut_response_at(100_000));
    let run = machine.cec(&["update", "-q", "-v", "latest"]).run();
    assert_eq!(run.code, 6, "{run:?}");
    assert!(machine.is_untouched());
}

#[test]
fn without_a_channel_or_a_key_nothing_is_asked() {
    let machine = Machine::new();
    let refused = [("", ""), (machine.world.url(), ""), ("", "key.pem")].map(|(url, key)| {
        machine.cec(&["update", "-v", "latest"]).env("CEC_UPDATE_URL", url).env("CEC_UPDATE_KEY", key).run()
    });
    assert_snapshot!(transcript(refused), @"
    $ cec update -v latest
    [stderr]
    error: this program has no update server; nothing was changed
      hint: update it the way it was installed: by its package, or from its source with 'cargo install'
      hint: or set a server and a key that you trust: CEC_UPDATE_URL and CEC_UPDATE_KEY
    [exit code 1]
    $ cec update -v latest
    [stderr]
    error: this program has no public key for updates; nothing was changed
      hint: update it the way it was installed: by its package, or from its source with 'cargo install'
      hint: or set a server and a key that you trust: CEC_UPDATE_URL and CEC_UPDATE_KEY
    [exit code 1]
    $ cec update -v latest
    [stderr]
    error: this program has no update server; nothing was changed
      hint: update it the way it was installed: by its package, or from its source with 'cargo install'
      hint: or set a server and a key that you trust: CEC_UPDATE_URL and CEC_UPDATE_KEY
    [exit code 1]
    ");
    assert!(machine.world.sandbox.requests().is_empty() && machine.is_untouched());
}

#[test]
fn a_folder_that_cannot_be_written_to_is_told_before_anything_is_fetched() {
    let machine = Machine::new();
    machine.world.sandbox.offer(release("99.0.0", program("99.0.0")));
    let folder = machine.installed.parent().expect("a folder").to_owned();
    fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o555)).expect("a mode");
    let run = machine.cec(&["update", "-q", "-v", "latest"]).by_nobody().run();
    fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode");
    assert_snapshot!(run, @"
    [stderr]
    error: cannot write to HOME/bin: permission denied
      hint: run the update as a user with write access, or reinstall the program the way it was installed
    [exit code 5]
    ");
    let fetched = machine.world.sandbox.requests().iter().any(|request| request.path.contains("files"));
    assert!(!fetched && machine.is_untouched());
}
