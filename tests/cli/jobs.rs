//! `cec jobs`.

use std::time::Duration;

use cells_sandbox::Config;
use insta::assert_snapshot;
use serde_json::json;

use crate::support::{World, fields, wait_for};

/// Starts a copy and gives the job's id.
fn start(world: &World, user: &str) -> String {
    world.put("common-files/a.txt", "x");
    let parameters = json!({"nodes": ["common-files/a.txt"], "target": "common-files/copies", "targetParent": true});
    let body = json!({"JsonParameters": parameters.to_string()}).to_string();
    let run = world.cec(["api", "PUT", "jobs/user/copy", "--input", "-"]).user(user).input(&body).run();
    assert_eq!(run.code, 0, "{run:?}");
    let answer: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    answer["JobUuid"].as_str().expect("an id").to_owned()
}

/// Waits until the end of a job is written down, which is later than it is heard of.
fn written_down(world: &World, id: &str) {
    while !world.cec(["jobs", "get", id]).run().stdout.contains("\tFinished\t") {}
}

#[test]
fn a_job_is_followed_to_its_end_and_listed() {
    let world = World::new();
    let id = start(&world, "alice");
    let run = world.cec(["jobs", "watch", &id]).user("alice").run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    let last: Vec<&str> = run.stdout.lines().last().expect("a line").split('\t').collect();
    assert_eq!(last[1..], [&id, "Finished", "100%", "Complete"], "{run:?}");
    written_down(&world, &id);
    let listed = format!("{id}\tCopying file in background...\talice\t1\tFinished\t20");
    let own = world.cec(["jobs", "get"]).user("alice").run();
    assert!(own.code == 0 && own.stdout.starts_with(&listed) && own.stdout.lines().count() == 1, "{own:?}");
    let json = world.cec(["jobs", "get", "--json"]).user("alice").run().json();
    assert_eq!(fields(&json[0]), ["id", "label", "owner", "created", "tasks"]);
    let task = ["id", "status", "message", "progress", "owner", "started", "ended"];
    assert_eq!((fields(&json[0]["tasks"][0]), &json[0]["tasks"][0]["status"]), (task.to_vec(), &json!("finished")));
    // An administrator sees everybody's, and the server's own.
    let all = world.cec(["jobs", "get"]).run();
    assert!(all.stdout.contains(&listed) && all.stdout.contains("clean-user-data\t"), "{all:?}");
}

#[test]
fn the_older_clients_json_has_whole_jobs() {
    let world = World::new();
    let id = start(&world, "admin");
    written_down(&world, &id);
    let run = world.cec(["jobs", "get", "--format", "json"]).run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    assert!(run.stdout.starts_with("[\n  {\n    \"Actions\": [\n"), "{run:?}");
    let jobs: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    let job = jobs.as_array().expect("jobs").iter().find(|job| job["ID"] == id.as_str()).expect("the job");
    assert_eq!((&job["Tasks"][0]["Status"], &job["Hooks"]), (&json!("Finished"), &json!(null)));
    assert!(job.get("Hooks").is_some() && job["Actions"][0].get("ChainedActions").is_some());
}

#[test]
fn filters_are_those_of_the_older_client() {
    let world = World::new();
    let id = start(&world, "alice");
    written_down(&world, &id);
    let get = |filter: &str| world.cec(["jobs", "get", "--filter", filter]).run();
    let found = get(r#"{"owner": {"op": "eq", "value": "alice"}, "task_status": {"op": "eq", "value": "Finished"}}"#);
    assert!(found.code == 0 && found.stdout.lines().count() == 1 && found.stdout.starts_with(&id), "{found:?}");
    get(r#"{"task_status": {"op": "eq", "value": "Error"}}"#).is(0, "", "");
    for filter in ["no JSON", r#"{"id": {"op": "eq", "value": "x"}}"#, r#"{"owner": {"op": "gt", "value": "x"}}"#] {
        let run = get(filter);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run:?}");
        assert!(run.stderr.contains("--filter <JSON>"), "{run:?}");
    }
}

#[test]
fn a_running_job_is_cancelled() {
    // Long enough for the slowest machine: a run shows as running until its end is written down.
    let status_delay = Duration::from_secs(120);
    let world = World::with(Config {
        job_effect_delay: Duration::from_millis(20),
        job_status_delay: status_delay,
        ..Config::default()
    });
    let id = start(&world, "admin");
    while !world.cec(["jobs", "get"]).run().stdout.contains("\tRunning\t") {}
    world.cec(["jobs", "cancel", &id]).run().is(0, "", &format!("stop requested: {id}\n"));
    let json = world.cec(["jobs", "cancel", "--json", &id]).run().json();
    let task = json[0]["tasks"][0].as_str().expect("a task");
    assert_eq!((fields(&json[0]), task.len()), (vec!["job_id", "tasks"], 36));
    assert_snapshot!(world.cec(["jobs", "cancel", "clean-user-data"]).run(), @"
    [stderr]
    error: the job 'clean-user-data' is not running: it has not run
    [exit code 1]
    ");
    let world = World::new();
    let id = start(&world, "admin");
    written_down(&world, &id);
    let run = world.cec(["jobs", "cancel", &id]).run();
    run.is(1, "", &format!("error: the job '{id}' is not running: it is finished\n"));
}

#[test]
fn logs_are_shown_oldest_first() {
    let world = World::new();
    let id = start(&world, "admin");
    written_down(&world, &id);
    let run = world.cec(["jobs", "logs", &id]).run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    let texts: Vec<&str> = run.stdout.lines().map(|line| line.split_once('\t').expect("a time").1).collect();
    let copied = "info\tSuccessfully copied common-files/a.txt to common-files/copies/a.txt";
    assert_eq!(texts, ["info\tStarting job Copying file in background...", copied, "info\tComplete"]);
    let json = world.cec(["jobs", "logs", &id, "--json"]).run().json();
    assert_eq!((fields(&json[0]), &json[2]["message"]), (vec!["time", "level", "message"], &json!("Complete")));
    let run = world.cec(["jobs", "logs", "clean-user-data"]).run();
    assert_snapshot!(run, @"
    [stderr]
    error: the job 'clean-user-data' has not run, or the records of its runs were deleted
    [exit code 3]
    ");
    let run = world.cec(["jobs", "logs", &id, "--task-id", "short"]).run();
    run.is(3, "", &format!("error: the job '{id}' has no run 'short'\n"));
}

#[test]
fn deleting_says_what_the_server_can() {
    let world = World::new();
    let id = start(&world, "admin");
    written_down(&world, &id);
    let delete = |more: &[&str]| world.cec(["jobs", "delete", "--job-id", &id].iter().chain(more).copied()).run();
    let line = |result: &str| format!("{id}\tCopying file in background...\t{result}\n");
    delete(&["--dry-run"]).is(0, &line("would be deleted (dry run)"), "");
    delete(&[]).is(0, &line("record of 1 run deleted; this server cannot delete the job itself"), "");
    delete(&[]).is(0, &line("nothing to delete: this server deletes only records of runs, and there are none"), "");
    let sent: Vec<_> = world.sandbox.requests().into_iter().filter(|one| one.method == "DELETE").collect();
    assert_eq!(sent[0].path, format!("/a/scheduler/jobs/{id}"), "what other editions can is tried first");
    let run = delete(&["--format", "json", "--dry-run"]);
    let json: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(fields(&json[0]), ["JobID", "JobLabel", "Result"]);
}

#[test]
fn an_edition_that_deletes_jobs_is_taken_at_its_word() {
    let world = World::new();
    let id = start(&world, "admin");
    let answer = cells_sandbox::Fault::on("DELETE", "/a/scheduler/jobs").status(200);
    world.sandbox.faults().add(answer.body("application/json", "{\"Success\":true}"));
    let run = world.cec(["jobs", "delete", "--job-id", &id]).run();
    run.is(0, &format!("{id}\tCopying file in background...\tdeleted\n"), "");
}

#[test]
fn the_servers_own_jobs_are_safe_from_filters_and_ask() {
    let world = World::new();
    let own = ["jobs", "delete", "--job-id", "clean-user-data"];
    let run = world.cec(own).input("yes\n").run();
    assert_snapshot!(run, @"
    [stderr]
    error: cannot ask for confirmation before deleting 'clean-user-data', a system job
      hint: add --force to delete it without asking
    [exit code 2]
    ");
    assert_eq!(world.cec(own.into_iter().chain(["--force"])).run().code, 0);
    let filter = r#"{"owner": {"op": "eq", "value": "pydio.system.user"}}"#;
    let run = world.cec(["jobs", "delete", "--force", "--filter", filter]).run();
    assert_eq!((run.code, run.stdout.matches("skipped: delete system jobs").count()), (0, 2), "{run:?}");
}

// Row 4 of what the older client gets wrong: an unknown job is no success.
#[test]
fn row_4_an_unknown_job_is_not_found() {
    let world = World::new();
    let message = "error: there is no job 'nope', or you may not see it\n  hint: 'cec jobs get' lists the jobs\n";
    for arguments in [
        &["jobs", "get", "nope"][..],
        &["jobs", "delete", "--job-id", "nope"],
        &["jobs", "watch", "nope"],
        &["jobs", "logs", "nope"],
        &["jobs", "cancel", "nope"],
    ] {
        world.cec(arguments.iter().copied()).run().is(3, "", message);
    }
    let filter = r#"{"owner": {"op": "eq", "value": "nobody"}}"#;
    assert_snapshot!(world.cec(["jobs", "delete", "--filter", filter]).run(), @"
    [stderr]
    error: no job matches the filter
    [exit code 3]
    ");
    let id = start(&world, "admin");
    assert_eq!(world.cec(["jobs", "get", &id]).user("alice").run().code, 3, "somebody else's");
}

#[test]
fn the_end_of_a_job_is_heard_on_the_websocket() {
    // What is written down never shows it.
    let never = Duration::from_secs(3600);
    // Without an id, what was started just now counts, although nothing is written down of its run.
    for is_named in [true, false] {
        let world = World::with(Config { job_effect_delay: never, job_status_delay: never, ..Config::default() });
        let id = start(&world, "alice");
        world.sandbox.clear_requests();
        let named = is_named.then_some(id.as_str());
        let child = world.cec(["jobs", "watch"].into_iter().chain(named)).user("alice").spawn();
        let asked = || world.sandbox.requests().iter().filter(|request| request.path == "/a/jobs/user").count();
        // The second question comes once the websocket is open.
        wait_for("the second question", || asked() >= 2);
        assert_eq!(world.sandbox.stop_jobs(), 1);
        let output = child.wait_with_output().expect("an end");
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!((output.status.code(), stderr.as_ref()), (Some(10), ""), "{stdout}");
        assert!(stdout.contains(&format!("\t{id}\tError\t")), "{stdout}");
    }
}

#[test]
fn a_job_that_fails_ends_in_its_own_code() {
    let world = World::new();
    let parameters = json!({"dsName": "nope"}).to_string();
    let body = json!({"JsonParameters": parameters}).to_string();
    world.cec(["api", "PUT", "jobs/user/datasource-resync", "--input", "-"]).input(&body).run();
    let run = world.cec(["jobs", "watch", "resync-ds-nope"]).run();
    assert_eq!((run.code, run.stderr.as_str()), (10, ""), "{run:?}");
    assert!(run.stdout.contains("\tError\t"), "{run:?}");
    while !world.cec(["jobs", "get", "resync-ds-nope"]).run().stdout.contains("\tError\t") {}
    world.cec(["jobs", "watch"]).run().is(0, "", "nothing is running\n");
}

#[test]
fn a_job_without_any_run_is_not_waited_for() {
    let world = World::new();
    // It is not one that has just been made.
    world.sandbox.set_clock_offset(-3600);
    let older = start(&world, "admin");
    written_down(&world, &older);
    assert_eq!(world.cec(["jobs", "delete", "--job-id", &older]).run().code, 0);
    for id in [older.as_str(), "clean-user-data"] {
        let told = format!("error: the job '{id}' has not run, or the records of its runs were deleted\n");
        world.cec(["jobs", "watch", id]).run().is(3, "", &told);
    }
}
