//! OAuth tokens that renew themselves, by many processes at once and on bad days.

use std::collections::BTreeSet;
use std::fs;
use std::process::Child;
use std::time::Duration;

use cells_sandbox::{Fault, Gate, Lifetimes, Pair, Race};
use insta::assert_snapshot;
use serde_json::Value;

use crate::support::http::send;
use crate::support::{World, wait_for};

const SIGN_IN: &str = "  hint: sign in again with: cec config relog\n";

fn refreshes(world: &World) -> usize {
    world.sandbox.requests().iter().filter(|request| request.path == "/oidc/oauth2/token").count()
}

fn entry(world: &World) -> Value {
    let text = fs::read_to_string(world.config_file()).expect("config.json");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    file["Configs"].as_object().expect("accounts").values().next().expect("an account").clone()
}

fn roots(world: &World) -> String {
    let run = world.signed_out(["ls"]).run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    run.stdout
}

/// `count` listings started at once with a token that has ended.
fn at_once(world: &World, count: usize) {
    let pair = world.store_session("alice", -5);
    world.sandbox.revoke_token(&pair.access);
    world.sandbox.clear_requests();
    let children: Vec<_> = (0..count).map(|_| world.signed_out(["ls"]).spawn()).collect();
    for child in children {
        let output = child.wait_with_output().expect("cec ends");
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!((output.status.code(), stderr.as_ref()), (Some(0), ""));
        assert_eq!(stdout, "a1-ro/\ncommon-files/\npersonal-files/\n");
    }
    assert_eq!(refreshes(world), 1);
    assert!(world.sandbox.is_alive(entry(world)["idToken"].as_str().expect("a token")));
}

#[test]
fn fifty_at_once_make_one_refresh_and_fifty_right_answers() {
    let world = World::new();
    at_once(&world, 50);
}

#[test]
#[ignore = "a soak: just soak"]
fn fifty_at_once_ten_times() {
    for _ in 0..10 {
        at_once(&World::new(), 50);
    }
}

#[test]
fn a_token_is_renewed_before_it_ends_and_after_it_was_refused() {
    let world = World::new();
    for (ends, revoked, renewed) in [(3000, false, false), (30, false, true), (3000, true, true), (-100, true, true)] {
        let pair = world.store_session("admin", ends);
        if revoked {
            world.sandbox.revoke_token(&pair.access);
        }
        world.sandbox.clear_requests();
        assert!(roots(&world).contains("common-files/"));
        assert_eq!(refreshes(&world), usize::from(renewed), "{ends} {revoked}");
        assert_eq!(entry(&world)["refreshToken"] != pair.refresh.as_str(), renewed);
        assert_eq!(entry(&world)["tokenLifetime"].as_u64(), renewed.then_some(599));
    }
}

#[test]
fn a_lost_answer_is_asked_for_once_more_and_then_told() {
    let world = World::new();
    let pair = world.store_session("admin", -5);
    world.sandbox.revoke_token(&pair.access);
    world.sandbox.faults().add(Fault::on("POST", "/oidc/oauth2/token").close_after());
    world.sandbox.clear_requests();
    let run = world.signed_out(["ls"]).run();
    let lost = "error: the session is lost: the server's answer with its new tokens did not arrive\n";
    assert_eq!((run.code, run.stdout.as_str()), (4, ""), "{run:?}");
    assert!(run.stderr.starts_with(lost) && run.stderr.ends_with(SIGN_IN), "{run:?}");
    let again = world.signed_out(["ls"]).run();
    assert_eq!(again.code, 4, "{again:?}");
    assert_eq!(refreshes(&world), 2);
    assert_eq!(entry(&world).get("refreshToken"), None);
}

#[test]
fn a_renewal_that_never_reached_the_server_is_sent_again() {
    for fault in [
        Fault::on("POST", "/oidc/oauth2/token").close_before(),
        Fault::on("POST", "/oidc/oauth2/token").status(503).html(),
    ] {
        let world = World::new();
        let pair = world.store_session("admin", -5);
        world.sandbox.revoke_token(&pair.access);
        world.sandbox.faults().add(fault);
        assert!(roots(&world).contains("common-files/"));
        let kept = entry(&world);
        assert!(kept["refreshToken"].is_string() && kept["refreshToken"] != pair.refresh.as_str(), "{kept}");
    }
}

#[test]
fn a_failed_precaution_costs_nothing_while_the_token_is_good() {
    for fault in [
        Fault::on("POST", "/oidc/oauth2/token").close_before().always(),
        Fault::on("POST", "/oidc/oauth2/token").status(503).html().always(),
    ] {
        let world = World::new();
        let pair = world.store_session("admin", 30);
        for number in 0..40 {
            world.put(&format!("common-files/many/{number}"), "content");
        }
        world.sandbox.faults().add(fault);
        world.sandbox.clear_requests();
        let run = world.signed_out(["scp", "-q", "cells://common-files/many", "."]).run();
        run.is(0, "", "");
        assert!(refreshes(&world) <= 4, "{}", refreshes(&world));
        assert_eq!(entry(&world)["refreshToken"], pair.refresh.as_str(), "nobody knows that it is spent");
    }
}

/// A run whose folder of accounts has no room for new tokens.
#[cfg(target_os = "linux")]
fn without_room(world: &World) -> Option<crate::support::Run> {
    world.sandbox.clear_requests();
    let (run, _) = world.signed_out(["ls"]).on_disk(".config/pydio/cells-client", "size=16k")?;
    assert_eq!(refreshes(world), 0, "a token that cannot be replaced was sent: {run:?}");
    Some(run)
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_costs_no_session() {
    let world = World::new();
    let pair = world.store_session("admin", -5);
    let before = entry(&world);
    world.sandbox.revoke_token(&pair.access);
    // Time and again: nothing is sent that could not be replaced.
    for _ in 0..2 {
        let Some(run) = without_room(&world) else { return };
        run.is(
            1,
            "",
            "error: the session cannot be renewed: cannot write HOME/.config/pydio/cells-client/config.json: No space \
             left on device\n  while: listing the workspaces\n  hint: nothing was lost: fix that and run it again\n",
        );
    }
    assert_eq!(entry(&world), before);
    assert!(roots(&world).contains("common-files/"));
    assert_eq!(refreshes(&world), 1);
    // A token that is still good goes on being used.
    let pair = world.store_session("admin", 30);
    let run = without_room(&world).expect("a disk");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    assert_eq!(entry(&world)["refreshToken"], pair.refresh.as_str());
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_costs_no_session() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    world.store_session("admin", -5);
    let folder = world.config_folder();
    let mode = |mode: u32| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).expect("a mode");
    for file in fs::read_dir(&folder).expect("a folder").flatten() {
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).expect("a mode");
    }
    for above in [".config", ".config/pydio"] {
        fs::set_permissions(world.home().join(above), fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    mode(0o555);
    let run = world.signed_out(["ls"]).by_nobody().run();
    mode(0o755);
    assert_snapshot!(run, @"
    [stderr]
    warning: other users can read the secrets in HOME/.config/pydio/cells-client/config.json; run: chmod 600 HOME/.config/pydio/cells-client/config.json
    error: the session cannot be renewed: cannot protect HOME/.config/pydio/cells-client: Operation not permitted
      while: listing the workspaces
      hint: nothing was lost: fix that and run it again
    [exit code 1]
    ");
    assert_eq!(refreshes(&world), 0);
}

#[test]
fn a_server_that_is_down_costs_no_session() {
    let world = World::new();
    let pair = world.store_session("admin", 30);
    world
        .sandbox
        .faults()
        .add(Fault::on("POST", "/oidc/oauth2/token").status(502).body("text/html", "<p>Bad</p>").times(2));
    roots(&world);
    assert_eq!(entry(&world)["refreshToken"], pair.refresh.as_str());
    roots(&world);
    assert_ne!(entry(&world)["refreshToken"], pair.refresh.as_str());
}

#[test]
fn a_session_that_is_over_says_so_and_asks_only_once() {
    let world = World::new();
    let pair = world.store_session("admin", 3000);
    world.sandbox.revoke_token(&pair.access);
    // Somebody else has used the refresh token.
    world.sandbox.faults().add(
        Fault::on("POST", "/oidc/oauth2/token").status(401).body("application/json", r#"{"error":"token_inactive"}"#),
    );
    world.sandbox.clear_requests();
    for _ in 0..2 {
        let run = world.signed_out(["ls"]).run();
        assert_eq!((run.code, run.stdout.as_str()), (4, ""), "{run:?}");
        assert!(
            run.stderr.contains("the token is not valid (mistyped, expired or revoked)")
                && run.stderr.contains(SIGN_IN),
            "{run:?}"
        );
    }
    assert_eq!(refreshes(&world), 1);
}

/// Another client that knows no lock refreshes at the same moment and stores its pair a little later.
#[test]
fn what_another_client_stored_is_taken() {
    let world = World::new();
    let pair = world.store_session("admin", -5);
    world.sandbox.revoke_token(&pair.access);
    world.sandbox.set_refresh_race(Race::OthersRefused, Duration::from_millis(5));
    let refused = r#"{"error":"invalid_request","error_description":"multiple concurrent requests"}"#;
    let gate = Gate::closed();
    let fault = Fault::on("POST", "/oidc/oauth2/token").hold_request(&gate);
    world.sandbox.faults().add(fault.status(400).body("application/json", refused));
    let child = world.signed_out(["ls"]).spawn();
    wait_for("the refresh", || world.sandbox.faults().hits() == 1);
    // The other one is quicker, and stores in a moment.
    gate.open();
    let other = world.store_session("admin", 3000);
    let output = child.wait_with_output().expect("cec ends");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(entry(&world)["idToken"], other.access.as_str());
}

/// Another client uses a refresh token, knowing no lock.
fn refresh_elsewhere(world: &World, refresh: &str) -> Pair {
    let host = world.url().strip_prefix("http://").expect("a host");
    let form = format!("grant_type=refresh_token&client_id=cells-client&refresh_token={refresh}");
    let answer = send(host, "POST", "/oidc/oauth2/token", "application/x-www-form-urlencoded", &form).json();
    let text = |name: &str| answer[name].as_str().expect(name).to_owned();
    Pair { access: text("access_token"), refresh: text("refresh_token"), expires_at: 0 }
}

/// A world in which the renewal of a stored session meets another one: both succeed, and only the tokens of the second
/// are alive. Gives the session, too.
fn race() -> (World, Pair) {
    let world = World::new();
    let pair = world.store_session("admin", -5);
    world.sandbox.revoke_token(&pair.access);
    world.sandbox.set_refresh_race(Race::OnePairAlive, Duration::from_hours(1));
    (world, pair)
}

/// A race in which cec was first and has stored its pair, and the other client's request is answered before cec looks
/// whether its token is alive: when the gate is opened. Gives the waiting `cec ls` and the other client's pair.
fn overtaken(world: &World, pair: &Pair, gate: &Gate) -> (Child, Pair) {
    world.sandbox.faults().add(Fault::on("GET", "/a/tree/stat/").hold_request(gate));
    let child = world.signed_out(["ls"]).spawn();
    wait_for("the pair", || entry(world)["idToken"] != pair.access.as_str());
    let other = refresh_elsewhere(world, &pair.refresh);
    (child, other)
}

/// What is printed and stored when the tokens of the other client were taken over.
#[track_caller]
fn assert_taken_over(world: &World, child: Child, other: &Pair) {
    let output = child.wait_with_output().expect("cec ends");
    assert_eq!((String::from_utf8_lossy(&output.stderr).as_ref(), output.status.code()), ("", Some(0)), "{output:?}");
    assert_eq!(refreshes(world), 2);
    assert_eq!(entry(world)["idToken"], other.access.as_str());
    assert!(world.sandbox.is_alive(&other.access));
}

#[test]
fn whose_tokens_are_dead_takes_those_that_the_other_client_stores() {
    let (world, pair) = race();
    let gate = Gate::closed();
    let (child, other) = overtaken(&world, &pair, &gate);
    // It is noticed before the other one has stored its tokens.
    gate.open();
    world.store_pair("admin", &other, 3000);
    assert_taken_over(&world, child, &other);
}

#[test]
fn whose_tokens_are_dead_takes_those_that_the_other_client_has_stored() {
    let (world, pair) = race();
    let gate = Gate::closed();
    world.sandbox.faults().add(Fault::on("POST", "/oidc/oauth2/token").hold_answer(&gate));
    let child = world.signed_out(["ls"]).spawn();
    wait_for("the refresh", || !world.sandbox.is_alive_refresh(&pair.refresh));
    let other = refresh_elsewhere(&world, &pair.refresh);
    world.store_pair("admin", &other, 3000);
    gate.open();
    assert_taken_over(&world, child, &other);
}

#[test]
fn dead_tokens_are_not_used_against_those_that_another_client_keeps_elsewhere() {
    let (world, pair) = race();
    let gate = Gate::closed();
    let (child, other) = overtaken(&world, &pair, &gate);
    gate.open();
    let output = child.wait_with_output().expect("cec ends");
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.contains("the token is not valid (mistyped, expired or revoked)") && told.ends_with(SIGN_IN),
        "{told}"
    );
    assert_eq!(entry(&world).get("refreshToken"), None);
    assert_eq!(world.signed_out(["ls"]).run().code, 4);
    assert_eq!(refreshes(&world), 2);
    assert!(world.sandbox.is_alive(&other.access), "a use of the dead refresh token would have killed it");
}

#[test]
fn whose_tokens_are_alive_stores_them_in_place_of_the_other_clients_dead_ones() {
    let (world, pair) = race();
    // The other one is in front.
    let gate = Gate::closed();
    world.sandbox.faults().add(Fault::on("POST", "/oidc/oauth2/token").hold_request(&gate));
    let child = world.signed_out(["ls"]).spawn();
    wait_for("the refresh", || world.sandbox.faults().hits() == 1);
    let other = refresh_elsewhere(&world, &pair.refresh);
    world.store_pair("admin", &other, 3000);
    gate.open();
    let output = child.wait_with_output().expect("cec ends");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{output:?}");
    assert!(!world.sandbox.is_alive(&other.access));
    assert!(world.sandbox.is_alive(entry(&world)["idToken"].as_str().expect("a token")));
    world.sandbox.clear_requests();
    roots(&world);
    assert_eq!(refreshes(&world), 0);
}

/// An upload in parts that the server takes slowly: for about so many seconds, with tokens that live `token_life` seconds.
fn slow_upload(token_life: u64, seconds: u64) {
    const PART: u64 = 10 << 20;
    // The more parts, the longer: each takes about a third of a token's life, and two are under way at once.
    let parts = seconds * 2 * 3 / token_life;
    let world = World::new();
    world.sandbox.set_lifetimes(Lifetimes { access: Duration::from_secs(token_life), ..Lifetimes::default() });
    world.sandbox.faults().add(Fault::on("PUT", "/io/").slow_request(PART * 3 / token_life).always());
    let pair = world.store_session("admin", -5);
    world.sandbox.revoke_token(&pair.access);
    let content: Vec<u8> = (0..parts * PART).map(|index| (index / 997) as u8).collect();
    fs::write(world.home().join("file"), &content).expect("a file");
    let flags = ["--part-size", "10", "--multipart-threshold", "10"];
    let run = world.signed_out(["scp", "-q", "file", "cells://common-files/file"].into_iter().chain(flags)).run();
    run.is(0, "", "");
    assert!(world.tree().read("common-files/file").as_deref() == Some(content.as_slice()), "other bytes");
    let requests = world.sandbox.requests();
    let parts = requests.iter().filter(|request| request.method == "PUT" && request.path.starts_with("/io/"));
    let key =
        |request: &cells_sandbox::RequestRecord| request.header("authorization").split('/').next().map(str::to_owned);
    let tokens: BTreeSet<_> = parts.filter_map(key).collect();
    assert!(tokens.len() > 2 && refreshes(&world) >= tokens.len(), "{} tokens", tokens.len());
}

#[test]
fn an_upload_outlives_its_tokens() {
    slow_upload(2, 5);
}

#[test]
#[ignore = "a soak: just soak"]
fn an_upload_of_a_minute_outlives_tokens_of_five_seconds() {
    slow_upload(5, 60);
}

/// Kills a listing that renews its token: where the sandbox sees it, or as soon as `moment` says so.
fn kill_at(world: &World, fault: Option<Fault>, moment: impl Fn(&World) -> bool) -> Pair {
    let pair = world.store_session("admin", -5);
    world.sandbox.revoke_token(&pair.access);
    world.sandbox.clear_requests();
    fault.into_iter().for_each(|fault| world.sandbox.faults().add(fault));
    let mut child = world.signed_out(["ls"]).spawn();
    while !moment(world) && child.try_wait().expect("a state").is_none() {
        std::thread::sleep(Duration::from_micros(100));
    }
    child.kill().expect("killed");
    child.wait().expect("an end");
    world.sandbox.faults().clear();
    assert!(entry(world)["idToken"].is_string(), "the store can be read");
    pair
}

fn asked(world: &World, path: &str) -> bool {
    world.sandbox.requests().iter().any(|request| request.path.starts_with(path))
}

#[test]
fn wherever_a_renewal_is_killed_the_store_stays_whole_and_the_next_run_goes_on_or_says_why_not() {
    const TOKEN: &str = "/oidc/oauth2/token";
    let long = Duration::from_secs(60);
    // Before the request, on its way, carried out without a word of the answer, half an answer, stored but not tried,
    // in use.
    let steps = [
        (None, "", 0, 1),
        (Some(Fault::on("POST", TOKEN).hang()), TOKEN, 0, 1),
        (Some(Fault::on("POST", TOKEN).stall_response_at(0, long)), TOKEN, 4, 1),
        (Some(Fault::on("POST", TOKEN).stall_response_at(200, long)), TOKEN, 4, 1),
        (Some(Fault::on("GET", "/a/tree/stat/").hang()), "/a/tree/stat/", 0, 0),
        (Some(Fault::on("POST", "/a/").hang()), "/a/meta/", 0, 0),
    ];
    for (step, (fault, path, code, more)) in steps.into_iter().enumerate() {
        let world = World::new();
        let pair = kill_at(&world, fault, |world| {
            let begun = || world.config_folder().read_dir().expect("a folder").count() > 1;
            if path.is_empty() { begun() } else { asked(world, path) }
        });
        if code == 4 {
            // The server carries out what it was asked, whoever waits for it.
            wait_for("the refresh", || !world.sandbox.is_alive_refresh(&pair.refresh));
        }
        let before = refreshes(&world);
        let run = world.signed_out(["ls"]).run();
        assert_eq!((run.code, refreshes(&world) - before), (code, more), "step {step}: {run:?}");
        assert!(code == 0 || run.stderr.ends_with(SIGN_IN), "step {step}: {run:?}");
        world.store_session("admin", 3000);
        roots(&world);
    }
}

#[test]
fn a_renewal_that_is_killed_while_it_writes_leaves_the_old_file_or_the_new_one() {
    let world = World::new();
    for micros in [0, 50, 100, 200, 400, 800, 1600, 3200] {
        kill_at(&world, None, |world| {
            // The room beside the old file is being filled, to be flushed and renamed.
            let written = |entry: std::io::Result<fs::DirEntry>| {
                entry.is_ok_and(|entry| entry.file_name().to_string_lossy().ends_with(".tmp"))
            };
            let begun = refreshes(world) > 0 && world.config_folder().read_dir().expect("a folder").any(written);
            if begun {
                std::thread::sleep(Duration::from_micros(micros));
            }
            begun
        });
        let run = world.signed_out(["ls"]).run();
        assert!(matches!(run.code, 0 | 4), "{micros}: {run:?}");
    }
    // What was left half written is gone with the next change.
    world.store_session("admin", -5);
    roots(&world);
    let left: Vec<_> =
        world.config_folder().read_dir().expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".tmp")), "{left:?}");
}
