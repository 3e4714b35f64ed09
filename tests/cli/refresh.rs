//! OAuth tokens that renew themselves, by many processes at once and on bad days.

use std::fs;
use std::time::Duration;

use cells_sandbox::{Fault, Race};
use serde_json::Value;

use crate::support::World;

const SIGN_IN: &str = "  hint: run 'cec configure' to sign in, or set CEC_URL and CEC_TOKEN\n";

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
fn a_lost_answer_is_told_and_the_token_never_sent_again() {
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
    assert_eq!(refreshes(&world), 1);
    assert_eq!(entry(&world).get("refreshToken"), None);
}

#[test]
fn a_server_that_is_down_costs_no_session() {
    let world = World::new();
    let pair = world.store_session("admin", 30);
    world.sandbox.faults().add(Fault::on("POST", "/oidc/oauth2/token").status(502).body("text/html", "<p>Bad</p>"));
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
        assert!(run.stderr.contains("the token is not valid any more") && run.stderr.contains(SIGN_IN), "{run:?}");
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
    world.sandbox.faults().add(
        Fault::on("POST", "/oidc/oauth2/token")
            .delay(Duration::from_millis(300))
            .status(400)
            .body("application/json", refused),
    );
    let child = world.signed_out(["ls"]).spawn();
    while refreshes(&world) == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    // The other one is quicker.
    let other = world.store_session("admin", 3000);
    let output = child.wait_with_output().expect("cec ends");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(entry(&world)["idToken"], other.access.as_str());
}

#[cfg(unix)]
#[test]
fn a_process_that_is_killed_leaves_a_store_that_can_be_read() {
    let world = World::new();
    for step in 0..6 {
        let pair = world.store_session("admin", -5);
        world.sandbox.revoke_token(&pair.access);
        world.sandbox.clear_requests();
        let path = if step % 2 == 0 { "/oidc/oauth2/token" } else { "/a/" };
        world.sandbox.faults().add(Fault::on("*", path).delay(Duration::from_millis(150)));
        let mut child = world.signed_out(["ls"]).spawn();
        while !world.sandbox.requests().iter().any(|request| request.path.starts_with(path)) {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(step * 40));
        child.kill().expect("killed");
        child.wait().expect("an end");
        world.sandbox.faults().clear();
        assert!(entry(&world)["idToken"].is_string(), "step {step}");
        // The session may be lost with the answer, but the next process says so or goes on; nothing hangs on a lock.
        let run = world.signed_out(["ls"]).run();
        assert!(matches!(run.code, 0 | 4), "step {step}: {run:?}");
        world.store_session("admin", 3000);
        roots(&world);
    }
}
