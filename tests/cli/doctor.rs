//! `cec doctor`: a verdict and a hint for each thing that can be wrong.

use cells_sandbox::{Config, Fault};
use insta::assert_snapshot;

use crate::support::{Run, World, fields};

const CHECKS: [&str; 13] = [
    "config",
    "keyring",
    "account",
    "proxy",
    "dns",
    "connection",
    "tls",
    "server",
    "clock",
    "rest",
    "version",
    "s3",
    "websocket",
];

/// The verdicts in the order of [`CHECKS`], one letter each: ok, warning, failed, skipped.
fn verdicts(run: &Run) -> String {
    let rows: Vec<Vec<&str>> = run.stdout.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows.iter().map(|row| row[0]).collect::<Vec<_>>(), CHECKS, "{run:?}");
    assert!(rows.iter().all(|row| row.len() == 4), "{run:?}");
    rows.iter().map(|row| &row[1][..1]).collect()
}

/// What is said of a check, and its hint.
fn said<'a>(run: &'a Run, check: &str) -> (&'a str, &'a str) {
    let row = run.stdout.lines().find_map(|line| line.strip_prefix(&format!("{check}\t")));
    let mut cells = row.expect("a row").split('\t').skip(1);
    (cells.next().expect("a message"), cells.next().expect("a hint"))
}

#[test]
fn where_all_is_well_nothing_fails() {
    let world = World::new();
    let run = world.cec(["doctor"]).run();
    assert_snapshot!(run, @"
    [stdout]
    config	skipped	not used: the credentials come from flags or environment	-
    keyring	skipped	not used: the credentials come from flags or environment	-
    account	ok	a personal access token for URL, given by CEC_TOKEN	-
    proxy	ok	none	-
    dns	skipped	127.0.0.1 is an address, not a name	-
    connection	ok	127.0.0.1:PORT answers	-
    tls	skipped	not used: the server is on this machine	-
    server	ok	a Cells server answers at URL	-
    clock	ok	the clocks of this machine and the server differ by less than a minute	-
    rest	ok	signed in as admin (administrator), 4 workspaces	-
    version	ok	Pydio Cells Home Edition 4.0.0	-
    s3	ok	the gateway accepts signed requests	-
    websocket	ok	connected: finished jobs are reported at once	-
    [stderr]
    no problems found
    [exit code 0]
    ");
    assert_eq!(verdicts(&run), "ssoososoooooo");
    assert_eq!(said(&run, "rest"), ("signed in as admin (administrator), 4 workspaces", "-"));
    assert_eq!(said(&run, "version").0, "Pydio Cells Home Edition 4.0.0");
    let changing = ["PUT", "DELETE"];
    assert!(world.sandbox.requests().iter().all(|request| !changing.contains(&request.method.as_str())));
    assert_eq!(verdicts(&world.cec(["doctor"]).user("alice").run()), "ssoososoooooo");
}

#[test]
fn the_findings_as_json() {
    let world = World::new();
    let json = world.cec(["doctor", "--json"]).run().json();
    let findings = json.as_array().expect("an array");
    assert_eq!(findings.iter().map(|finding| finding["check"].as_str().expect("a name")).collect::<Vec<_>>(), CHECKS);
    assert_eq!(fields(&findings[0]), ["check", "verdict", "message", "hint", "code"]);
    let run = world.cec(["doctor", "--jq", ".[] | select(.code) | [.check, .verdict, .code] | @tsv"]);
    run.env("CEC_TOKEN", "not-a-token-of-anybody").run().is(4, "rest\tfailed\t4\n", "");
}

#[test]
fn without_an_account_it_says_so_and_looks_at_the_server_that_is_named() {
    let world = World::new();
    let run = world.signed_out(["doctor"]).run();
    assert_snapshot!(run, @"
    [stdout]
    config	ok	no account is stored in HOME/.config/pydio/cells-client/config.json	-
    keyring	warning	there is no system keyring (disabled by CEC_KEYRING)	secrets are stored in config.json instead, which only you can read; add --skip-keyring to accept this
    account	failed	not signed in: no account is stored	run 'cec configure' to sign in, or set CEC_URL and CEC_TOKEN
    proxy	skipped	not checked: no server is known	-
    dns	skipped	not checked: no server is known	-
    connection	skipped	not checked: no server is known	-
    tls	skipped	not checked: no server is known	-
    server	skipped	not checked: no server is known	-
    clock	skipped	not checked: no server is known	-
    rest	skipped	not checked: no server is known	-
    version	skipped	not checked: no server is known	-
    s3	skipped	not checked: no server is known	-
    websocket	skipped	not checked: no server is known	-
    [stderr]
    1 failure, 1 warning
    [exit code 4]
    ");
    assert_eq!(verdicts(&run), "owfssssssssss");
    assert!(said(&run, "account").1.contains("cec configure"), "{run:?}");
    let run = world.signed_out(["doctor", "--skip-keyring", "--url", world.url()]).run();
    assert_snapshot!(run, @"
    [stdout]
    config	ok	no account is stored in HOME/.config/pydio/cells-client/config.json	-
    keyring	skipped	not used because of --skip-keyring or CEC_SKIP_KEYRING	-
    account	skipped	there are no credentials for URL	run 'cec configure' to sign in, or set CEC_URL and CEC_TOKEN
    proxy	ok	none	-
    dns	skipped	127.0.0.1 is an address, not a name	-
    connection	ok	127.0.0.1:PORT answers	-
    tls	skipped	not used: the server is on this machine	-
    server	ok	a Cells server answers at URL	-
    clock	ok	the clocks of this machine and the server differ by less than a minute	-
    rest	skipped	not checked: nobody is signed in	-
    version	skipped	not checked: nobody is signed in	-
    s3	skipped	not checked: nobody is signed in	-
    websocket	skipped	not checked: nobody is signed in	-
    [stderr]
    no problems found
    [exit code 0]
    ");
    assert_eq!(verdicts(&run), "ossososoossss");
}

#[test]
fn a_stored_account_is_looked_at_with_its_file() {
    let world = World::new();
    world.store_session("alice", 600);
    let run = world.signed_out(["doctor"]).run();
    assert_eq!(verdicts(&run), "owoososoooooo");
}

#[test]
fn a_refused_token_is_exit_4() {
    let world = World::new();
    let run = world.cec(["doctor"]).env("CEC_TOKEN", "not-a-token-of-anybody").run();
    assert_snapshot!(run, @"
    [stdout]
    config	skipped	not used: the credentials come from flags or environment	-
    keyring	skipped	not used: the credentials come from flags or environment	-
    account	ok	a personal access token for URL, given by CEC_TOKEN	-
    proxy	ok	none	-
    dns	skipped	127.0.0.1 is an address, not a name	-
    connection	ok	127.0.0.1:PORT answers	-
    tls	skipped	not used: the server is on this machine	-
    server	ok	a Cells server answers at URL	-
    clock	ok	the clocks of this machine and the server differ by less than a minute	-
    rest	failed	the credentials are not valid or have expired	give a new one with CEC_TOKEN, or unset CEC_TOKEN, which overrides the accounts of 'cec configure'; after an upgrade of the server to a new major version, get a new token: all old ones are invalid, personal ones too
    version	skipped	not checked: nobody is signed in	-
    s3	skipped	not checked: nobody is signed in	-
    websocket	skipped	not checked: nobody is signed in	-
    [stderr]
    1 failure
    [exit code 4]
    ");
    assert_eq!(verdicts(&run), "ssoososoofsss");
    assert!(said(&run, "rest").1.contains("cec configure"), "{run:?}");
}

#[test]
fn a_dead_server_a_name_that_nobody_knows_and_a_web_page_are_told_apart() {
    let world = World::new();
    let dead = "http://127.0.0.1:1";
    let run = world.cec(["doctor", "--url", dead]).run();
    assert_eq!(run.code, 2, "the token of the environment belongs to another server: {run:?}");
    let run = world.cec(["doctor"]).env("CEC_URL", dead).run();
    assert_eq!((run.code, verdicts(&run).as_str()), (6, "ssoosfsssssss"), "{run:?}");
    assert!(said(&run, "connection").0.contains("connection refused"), "{run:?}");
    let run = world.cec(["doctor"]).env("CEC_URL", "https://nowhere.invalid").run();
    assert_eq!((run.code, verdicts(&run).as_str()), (6, "ssoofssssssss"), "{run:?}");
    assert_eq!(said(&run, "dns").0, "the name 'nowhere.invalid' cannot be resolved");
    world.sandbox.faults().add(Fault::on("*", "/").html().always());
    let run = world.cec(["doctor"]).run();
    assert_eq!((run.code, verdicts(&run).as_str()), (6, "ssoososfsssss"), "{run:?}");
    assert!(said(&run, "server").0.contains("it is not a Cells server"), "{run:?}");
}

#[test]
fn a_certificate_that_is_not_trusted_is_told_with_its_remedy() {
    let world = World::with(Config { tls: true, ..Config::default() });
    let run = world.cec(["doctor"]).run();
    assert_eq!((run.code, verdicts(&run).as_str()), (6, "ssoosofssssss"), "{run:?}");
    assert!(said(&run, "tls").1.contains("--ca-cert"), "{run:?}");
    let run = world.cec(["doctor", "--skip-verify"]).run();
    assert_eq!((run.code, verdicts(&run).as_str()), (0, "ssoosowoooooo"), "{run:?}");
    let file = world.home().join("ca.pem");
    std::fs::write(&file, world.sandbox.ca_pem().expect("a certificate")).expect("a file");
    let run = world.cec(["doctor", "--ca-cert", &file.display().to_string()]).run();
    assert_eq!((run.code, verdicts(&run).as_str()), (0, "ssoosoooooooo"), "{run:?}");
    let plain = world.url().replace("https", "http");
    let run = world.cec(["doctor"]).env("CEC_URL", &plain).run();
    assert_eq!((run.code, verdicts(&run).as_str()), (6, "ssoosofssssss"), "{run:?}");
}

#[test]
fn a_clock_that_is_an_hour_off_is_told_and_works() {
    let world = World::new();
    for (offset, words) in [(3600, "behind the server's"), (-3600, "ahead of the server's")] {
        world.sandbox.set_clock_offset(offset);
        let run = world.cec(["doctor"]).run();
        assert_eq!((run.code, run.stderr.as_str()), (0, "1 warning\n"), "{run:?}");
        assert_eq!(verdicts(&run), "ssoososowoooo", "{run:?}");
        assert!(said(&run, "clock").0.contains(words) && said(&run, "clock").1.contains("correct "), "{run:?}");
    }
}

#[test]
fn a_gateway_and_a_websocket_that_do_not_work_are_told() {
    let world = World::new();
    world.sandbox.faults().add(Fault::on("*", "/io").status(403).always());
    world.sandbox.faults().add(Fault::on("*", "/ws").status(502).always());
    let run = world.cec(["doctor"]).run();
    assert_eq!((run.code, verdicts(&run).as_str()), (5, "ssoososoooofw"), "{run:?}");
    assert!(said(&run, "websocket").1.contains("/ws/event"), "{run:?}");
}

#[test]
fn a_proxy_is_told_without_its_password() {
    let world = World::new();
    let run = world.cec(["doctor", "--proxy", "http://somebody:a-secret-of-theirs@127.0.0.1:1"]).run();
    assert_eq!((run.code, verdicts(&run).as_str()), (6, "ssoosfsssssss"), "{run:?}");
    assert!(said(&run, "proxy").0.ends_with("through the proxy 127.0.0.1:1"), "{run:?}");
    assert!(!format!("{}{}", run.stdout, run.stderr).contains("a-secret-of-theirs"), "{run:?}");
}

#[cfg(unix)]
#[test]
fn a_file_that_others_can_read_or_nobody_understands_is_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    world.store_session("alice", 600);
    std::fs::set_permissions(world.config_file(), std::fs::Permissions::from_mode(0o644)).expect("a mode");
    let run = world.signed_out(["doctor"]).run();
    assert_eq!(run.code, 0, "{run:?}");
    assert!(said(&run, "config").1.starts_with("chmod 600 "), "{run:?}");
    world.install_config("{ not json");
    let run = world.signed_out(["doctor"]).run();
    assert_eq!((run.code, verdicts(&run).as_str()), (1, "fwfssssssssss"), "{run:?}");
}

#[cfg(unix)]
#[test]
fn on_a_terminal_hints_stand_below_and_what_follows_from_a_failure_is_left_out() {
    let world = World::new();
    let Some((code, screen)) = world.cec(["doctor"]).env("CEC_TOKEN", "not-a-token-of-anybody").on_terminal(&[]) else {
        return;
    };
    assert_eq!(code, 4, "{screen}");
    assert!(screen.contains("failed \u{1b}[0m  rest        the credentials are not valid"), "{screen}");
    assert!(screen.contains("\n                     hint: give a new one with CEC_TOKEN"), "{screen}");
    assert!(screen.contains("all old ones are invalid, personal ones too"), "{screen}");
    assert!(screen.ends_with("1 failure\n") && !screen.contains("websocket"), "{screen}");
}

#[test]
fn a_list_of_workspaces_without_an_end_is_not_read_to_its_end() {
    let world = World::new();
    let entry = "<CommonPrefixes><Prefix>workspace/</Prefix></CommonPrefixes>";
    let endless = format!("<ListBucketResult>{}<no listing", entry.repeat(5000));
    world.sandbox.faults().add(Fault::on("GET", "/io").status(200).body("application/xml", &endless).always());
    let run = world.cec(["doctor"]).run();
    assert_eq!(said(&run, "s3").0, "the gateway accepts signed requests", "{run:?}");
}
