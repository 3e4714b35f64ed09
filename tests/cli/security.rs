//! What a server, another user of it, and the environment cannot make this program do. SECURITY.md names these tests.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use cells_sandbox::Fault;
use insta::assert_snapshot;
use serde_json::json;

use crate::support::{World, wait_for};

/// Sets the title of a terminal, colours, turns the direction of writing, moves on to a column, and begins a new line.
const HOSTILE: &str = "a\u{1b}]0;T\u{7}\u{1b}[31m\u{9b}32m\u{202e}\t0\nFORGED";

/// Answers calls of the sandbox with a JSON document.
fn answering(world: &World, method: &str, path: &str, answer: &serde_json::Value) {
    let fault = Fault::on(method, path).status(200).body("application/json", &answer.to_string());
    world.sandbox.faults().add(fault.always());
}

/// What is on the screen holds nothing of it that acts on a terminal.
fn assert_harmless(screen: &str, what: &str) {
    let acts = |character: char| matches!(character, '\u{7}' | '\t' | '\u{1b}' | '\u{7f}'..='\u{9f}' | '\u{202e}');
    assert!(!screen.contains(acts), "{what}: {screen:?}");
    assert!(!screen.lines().any(|line| line.starts_with("FORGED")), "{what}: {screen:?}");
    assert!(screen.contains("FORGED"), "{what}: the text itself is shown: {screen:?}");
}

fn assert_harmless_on_terminal(world: &World, arguments: &[&str]) {
    let flags = ["--color", "never"];
    let Some((_, screen)) = world.cec([arguments, &flags].concat()).on_terminal(&[]) else { return };
    assert_harmless(&screen, &arguments.join(" "));
}

#[test]
fn what_a_server_says_cannot_act_on_the_terminal() {
    let world = World::new();
    world.put("common-files/a", "content");
    let job = json!({"ID": HOSTILE, "Label": HOSTILE, "Owner": HOSTILE, "Tasks": [
        {"ID": HOSTILE, "JobID": HOSTILE, "Status": HOSTILE, "StatusMessage": HOSTILE, "StartTime": 1, "EndTime": 2}
    ]});
    answering(&world, "POST", "/a/jobs/user", &json!({"Jobs": [job]}));
    assert_harmless_on_terminal(&world, &["jobs", "get"]);
    assert_harmless_on_terminal(&world, &["jobs", "get", "--format", "json"]);
    world.sandbox.faults().clear();
    let task = "eeb9cac9-5d30-42e8-9e7f-f96aea8c22e4";
    let job = json!({"ID": "job", "Label": "job", "Owner": "admin", "Tasks": [
        {"ID": task, "JobID": "job", "Status": "Finished", "StatusMessage": HOSTILE, "StartTime": 1, "EndTime": 2}
    ]});
    answering(&world, "POST", "/a/jobs/user", &json!({"Jobs": [job]}));
    answering(&world, "POST", "/a/jobs/tasks/logs", &json!({"Logs": [{"Ts": 1, "Level": HOSTILE, "Msg": HOSTILE}]}));
    assert_harmless_on_terminal(&world, &["jobs", "logs", "job"]);
    assert_harmless_on_terminal(&world, &["jobs", "watch", "job"]);
    answering(&world, "PUT", "/a/share/link", &json!({"Uuid": HOSTILE, "LinkUrl": format!("https://h/{HOSTILE}")}));
    assert_harmless_on_terminal(&world, &["share", "common-files/a"]);
    world.sandbox.faults().clear();
    let value = serde_json::to_string(HOSTILE).expect("JSON");
    assert_eq!(
        world.cec(["meta", "set", "-q", "-p", "common-files/a", "-n", "usermeta-tags", "-s", &value]).run().code,
        0
    );
    assert_harmless_on_terminal(&world, &["meta", "get", "-f", "json", "common-files/a"]);
    assert_harmless_on_terminal(&world, &["meta", "get", "common-files/a"]);
    let refused = json!({"Title": HOSTILE, "Detail": HOSTILE}).to_string();
    world.sandbox.faults().add(Fault::on("*", "/a/").status(400).body("application/json", &refused).always());
    assert_harmless_on_terminal(&world, &["ls", "common-files"]);
    assert_harmless_on_terminal(&world, &["api", "GET", "/a/x"]);
    // In a pipe, JSON stays free of it as well, for it may be shown later.
    let run = world.cec(["--json", "ls", "common-files"]).run();
    assert_harmless(&run.stderr, "--json");
}

#[test]
fn headers_of_a_server_cannot_act_on_the_terminal() {
    let world = World::new();
    let answer =
        Fault::on("GET", "/a/x").status(200).body("text/plain", "not FORGED").header("X-Odd", "\u{9b}31m\u{202e}x");
    world.sandbox.faults().add(answer.always());
    assert_harmless_on_terminal(&world, &["api", "GET", "-i", "/a/x"]);
}

#[test]
fn the_log_stays_a_line_for_each_event_and_masks_what_messages_mask() {
    let world = World::new();
    let token = "atoken0123456789";
    let refused = json!({"Title": format!("no\nFORGED \u{1b}[31m {token}")}).to_string();
    world.sandbox.faults().add(Fault::on("*", "/a/").status(503).body("application/json", &refused).always());
    for flags in [&["--log", "warn"][..], &["--log", "trace", "--log-file", "log"]] {
        let arguments = [flags, &["stat", "common-files/x"]].concat();
        let run = world.cec(arguments).env("CEC_TOKEN", token).env("CEC_RETRY_MAX_ATTEMPTS", "2").run();
        assert_eq!(run.code, 6, "{run:?}");
        let log = std::fs::read_to_string(world.home().join("log")).unwrap_or_default() + &run.stderr;
        assert!(log.contains("trying again") && log.contains("no\\nFORGED \\u{1b}[31m ***"), "{log}");
        assert!(!log.contains(token) && !log.contains('\u{1b}'), "{log}");
        assert!(!log.lines().any(|line| line.starts_with("FORGED")), "{log}");
    }
}

#[test]
fn a_token_that_the_server_issues_is_none_if_it_could_be_a_command() {
    let world = World::new();
    for token in ["x;touch${IFS}OWNED", "x\nbearer_token_command = touch OWNED", "$(touch OWNED)", "x y", ""] {
        world.sandbox.faults().clear();
        answering(&world, "POST", "/a/frontend/session", &json!({"JWT": token, "ExpireTime": 4_000_000_000_u64}));
        for command in [&["config", "export", "--s5cmd"][..], &["config", "export", "--rclone"], &["config", "token"]] {
            let run = world.signed_out(command.iter().copied()).env("CEC_URL", world.url()).env("CEC_LOGIN", "admin");
            let run = run.env("CEC_PASSWORD", "some-password").run();
            assert!(run.code != 0 && run.stdout.is_empty(), "{token:?} {command:?} {run:?}");
            assert!(!run.stderr.contains("OWNED"), "{run:?}");
        }
    }
}

#[test]
fn what_is_exported_for_a_shell_is_what_the_shell_reads() {
    let world = World::new();
    let run = world.cec(["config", "export", "--s5cmd"]).prints_secrets().run();
    assert_eq!(run.code, 0, "{run:?}");
    let script = format!(
        "{}\nprintf '%s %s' \"$AWS_ACCESS_KEY_ID\" \"$S3_ENDPOINT_URL\"",
        run.stdout.replace("URL=URL", "URL=U")
    );
    let read = Command::new("sh").args(["-c", &script]).output().expect("a shell");
    assert_eq!(String::from_utf8_lossy(&read.stdout), format!("{} U", world.sandbox.token("admin")));
}

#[test]
fn hints_can_be_pasted_whatever_names_are_like() {
    let world = World::new();
    let name = "x'; touch PWNED; '";
    world.put("common-files/a", "content");
    let run = world.cec(["compress", "common-files/a", &format!("common-files/{name}/a.zip")]).run();
    assert!(run.code != 0, "{run:?}");
    let hint = run.stderr.lines().find_map(|line| line.split_once("make it with: ")).map(|(_, command)| command);
    let hint = hint.expect(&run.stderr).replacen("cec", "printf '%s|'", 1);
    let read = Command::new("sh").args(["-c", &hint]).current_dir(world.home()).output().expect("a shell");
    assert_eq!(String::from_utf8_lossy(&read.stdout), format!("mkdir|-p|common-files/{name}|"));
    assert!(!world.home().join("PWNED").exists());
}

/// A server that is not the one in use; gives its address and what it is sent.
fn stranger() -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let heard = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().expect("a connection");
        let mut head = [0; 8192];
        let length = connection.read(&mut head).expect("a request");
        let _ = connection.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        String::from_utf8_lossy(&head[..length]).to_lowercase()
    });
    (address, heard)
}

#[test]
fn headers_of_the_environment_go_to_its_server_alone() {
    let secret = "s3cret-of-a-proxy";
    for (with_url, by_link) in [(true, true), (false, true), (true, false)] {
        let world = World::new();
        let (address, heard) = stranger();
        let link = format!("{address}/public/abc");
        let given = ["ls", "--url", &address, "--token", "another-token-0"];
        let run = if by_link { world.signed_out(["ls", &link]) } else { world.signed_out(given) };
        let run = if with_url { run.env("CEC_URL", world.url()).env("CEC_TOKEN", "x1234567") } else { run };
        let run = run.env("CEC_HEADER", &format!("CF-Access-Client-Secret: {secret}")).run();
        let heard = heard.join().expect("a request");
        assert!(!heard.contains(secret), "{heard}");
        assert!(run.stderr.contains("CEC_HEADER in the environment are not for"), "{run:?}");
    }
    // A flag goes where the line goes, and the environment's to its own server.
    let world = World::new();
    let (address, heard) = stranger();
    let link = format!("{address}/public/abc");
    world.signed_out(["ls", &link, "--header", "X-Mine: of-the-line"]).run();
    assert!(heard.join().expect("a request").contains("of-the-line"));
    let run = world.cec(["ls"]).env("CEC_HEADER", "X-Mine: of-the-environment").run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    let sent = world.sandbox.requests().iter().all(|request| format!("{request:?}").contains("of-the-environment"));
    assert!(sent, "{:?}", world.sandbox.requests());
}

/// The peak of a process's memory in MiB, as far as it still runs.
#[cfg(target_os = "linux")]
fn peak(child: &std::process::Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kib| kib / 1024)
}

/// The most memory of a run, in MiB, with its exit code and standard error.
#[cfg(target_os = "linux")]
fn measured(world: &World, arguments: &[&str]) -> (u64, i32, String) {
    let mut child = world.cec(arguments.iter().copied()).env("CEC_RETRY_MAX_ATTEMPTS", "2").spawn();
    drop(child.stdin.take());
    let mut highest = 0;
    while child.try_wait().expect("a state").is_none() {
        highest = highest.max(peak(&child));
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let output = child.wait_with_output().expect("an end");
    (highest, output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[cfg(target_os = "linux")]
#[test]
fn no_answer_takes_more_memory_than_a_server_may_have_of_it() {
    let bomb = format!("{{\"Nodes\":[{}]}}", "{},".repeat(5_000_000));
    let title = format!("{{\"Title\":\"{}\"}}", "x".repeat(20_000_000));
    let state = format!("<pydio_registry><user id=\"{}\"", "x".repeat(30_000_000));
    let nested = format!("<pydio_registry>{}", "<a>".repeat(10_000_000));
    for (arguments, path, status, kind, body) in [
        (&["ls", "common-files"][..], "/a/", 200, "application/json", &bomb),
        (&["api", "GET", "/a/x"], "/a/", 200, "application/json", &bomb),
        (&["ls", "common-files"], "/a/", 400, "application/json", &title),
        (&["info"], "/a/frontend/state", 200, "application/xml", &state),
        (&["info"], "/a/frontend/state", 200, "application/xml", &nested),
    ] {
        let world = World::new();
        world.sandbox.faults().add(Fault::on("*", path).status(status).body(kind, body).always());
        let (memory, code, stderr) = measured(&world, arguments);
        assert!(code == 6 || code == 1, "{arguments:?} {code} {stderr}");
        assert!(stderr.len() < 10_000, "{arguments:?}: {} bytes of errors", stderr.len());
        assert!(memory < 64, "{arguments:?}: {memory} MiB; {stderr}");
    }
}

#[test]
fn a_pipe_or_a_link_under_a_name_of_this_program_is_refused_and_not_waited_for() {
    // Links to config.json itself are followed: people keep it elsewhere.
    for (name, is_pipe) in [("config.json", true), ("config.json.lock", true), ("config.json.lock", false)] {
        let world = World::new();
        let folder = world.home().join("shared");
        std::fs::create_dir(&folder).expect("a folder");
        let victim = world.home().join("victim");
        let made = if is_pipe {
            Command::new("mkfifo").arg(folder.join(name)).status().expect("mkfifo").success()
        } else {
            std::os::unix::fs::symlink(&victim, folder.join(name)).is_ok()
        };
        assert!(made);
        let token = world.sandbox.token("admin");
        let arguments = ["configure", "token", world.url(), "--token", &token, "--skip-keyring"];
        let run = world.signed_out(arguments).env("CEC_CONFIG", &folder.display().to_string()).run();
        assert!(run.code != 0 && run.stderr.contains("not a regular file"), "{name} {run:?}");
        assert!(!victim.exists());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn pages_that_are_asked_for_ahead_take_no_more_memory_than_one() {
    let world = World::new();
    for number in 0..2700 {
        world.put(&format!("common-files/big/{number:04}"), "");
    }
    let text = "x".repeat(20_000);
    let node = |number: usize| {
        json!({"Path": format!("common-files/big/{number:04}"), "Uuid": format!("{number:032x}"), "Type": "LEAF",
            "MetaStore": {"usermeta-note": text}})
    };
    // Whatever the limit, the server answers with as much as it likes.
    for (what, nodes) in [("ten", 500), ("one", 50)] {
        let answer = json!({"Nodes": (100..100 + nodes).map(node).collect::<Vec<_>>()}).to_string();
        let fault = Fault::on("POST", "/a/meta/bulk/get").status(200).body("application/json", &answer).skip(1);
        world.sandbox.faults().add(fault.always());
        for command in [&["find", "common-files/big"][..], &["scp", "-q", "cells://common-files/big", "."]] {
            let (memory, code, stderr) = measured(&world, command);
            assert!(memory < 64, "{command:?}, {what} MiB a page: {memory} MiB; {stderr}");
            assert!(code != 101, "{command:?} {stderr}");
        }
        world.sandbox.faults().clear();
    }
}

#[test]
fn a_token_command_that_is_this_program_does_not_run_itself_without_end() {
    let world = World::new();
    let command = format!("'{}' config token", env!("CARGO_BIN_EXE_cec"));
    let run = world.signed_out(["ls"]).env("CEC_URL", world.url()).env("CEC_TOKEN_COMMAND", &command).run();
    assert_snapshot!(run, @"
    [stderr]
    error: not signed in: no account is stored
      hint: run 'cec configure' to sign in, or set CEC_URL and CEC_TOKEN
    error: the command in CEC_TOKEN_COMMAND failed (exit status: 4)
    [exit code 4]
    ");
}

#[test]
fn listings_for_the_completion_are_kept_in_a_folder_of_ones_own_and_forgotten() {
    let world = World::new();
    world.put("common-files/docs/x", "");
    world.store_session("admin", 3000);
    let words = ["__complete", "zsh", "--", "ls", "common-files/d"];
    let complete = |variables: &[(&str, &str)]| {
        let run = variables.iter().fold(world.signed_out(words), |run, (name, value)| run.env(name, value));
        run.run().is(0, "common-files/docs/\n", "");
    };
    let cache = world.home().join(".cache/cec");
    std::fs::create_dir_all(&cache).expect("a folder");
    std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o777)).expect("a mode");
    complete(&[]);
    assert_eq!(std::fs::read_dir(&cache).expect("a folder").count(), 0, "others may write there");
    std::fs::remove_dir(&cache).expect("a folder");
    complete(&[("XDG_CACHE_HOME", "relative")]);
    assert!(!world.home().join("relative").exists() && cache.exists());
    assert_eq!(world.signed_out(["clear", "-f"]).run().code, 0);
    assert!(!cache.exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_low_limit_of_open_files_is_raised() {
    let world = World::new();
    for number in 0..300 {
        world.put(&format!("common-files/many/{number}"), "content");
    }
    let limited = |limits: &str, arguments: &str| {
        let line = format!("{limits}; exec \"$CEC\" {arguments}");
        let output = Command::new("bash")
            .args(["-c", &line])
            .env_clear()
            .env("CEC", env!("CARGO_BIN_EXE_cec"))
            .env("HOME", world.home())
            .env("CEC_URL", world.url())
            .env("CEC_TOKEN", world.sandbox.token("admin"))
            .current_dir(world.home())
            .output()
            .expect("bash");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, stderr) = limited("ulimit -Sn 40", "scp -q --transfers 64 cells://common-files/many .");
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert_eq!(std::fs::read_dir(world.home().join("many")).expect("a folder").count(), 300);
}

#[test]
fn the_proxies_of_the_environment_are_read_as_curl_reads_them() {
    let world = World::new();
    // Nobody listens there.
    let proxy = "http://127.0.0.1:9";
    for exceptions in [("NO_PROXY", "*"), ("NO_PROXY", "127.0.0.1:PORT"), ("no_proxy", "127.0.0.0/8")] {
        let value = exceptions.1.replace("PORT", world.port());
        let run = world.cec(["ls"]).env("HTTP_PROXY", proxy).env("NO_PROXY", "").env(exceptions.0, &value).run();
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{exceptions:?} {run:?}");
    }
    let run = world.cec(["ls"]).env("HTTP_PROXY", proxy).env("NO_PROXY", "127.0.0.1:1").run();
    assert_snapshot!(run, @"
    [stderr]
    error: the proxy 127.0.0.1:9 cannot be reached: no connection
      while: listing the workspaces
      hint: check --proxy, HTTPS_PROXY, HTTP_PROXY and NO_PROXY
    [exit code 6]
    ");
    let run = world.cec(["ls", "--proxy", ""]).env("HTTP_PROXY", proxy).run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    let run = world.cec(["ls"]).env("HTTP_PROXY", "garbage://x").run();
    let warning = "warning: ignoring HTTP_PROXY: the proxy cannot be used: only http, https, socks4 and socks5 \
                   proxies are supported\n";
    assert_eq!((run.code, run.stderr.as_str()), (0, warning), "{run:?}");
}

#[test]
fn what_is_no_http_has_its_true_cause() {
    for (answer, words) in [
        (format!("HTTP/1.1 200 OK\r\n{}\r\n", "X-A: b\r\n".repeat(500)), "sent too many headers, or too long ones"),
        ("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n".to_owned(), "sent something that is not HTTP"),
        ("<html>an old server</html>\r\n\r\n".to_owned(), "sent something that is not HTTP"),
    ] {
        let world = World::new();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.expect("a connection");
                let _ = connection.read(&mut [0; 8192]);
                let _ = connection.write_all(answer.as_bytes());
            }
        });
        let run = world.cec(["stat", "common-files/a"]).env("CEC_URL", &address).run();
        assert!(run.code == 6 && run.stderr.contains(words) && !run.stderr.contains("TLS"), "{words}: {run:?}");
    }
}

#[test]
fn a_web_page_in_the_middle_of_a_run_is_a_passing_fault_and_at_its_start_none() {
    let world = World::new();
    world.put("common-files/a", "content");
    world.sandbox.faults().add(Fault::on("*", "/a/").skip(1).html());
    let run = world.cec(["ls", "-d", "common-files"]).run();
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    wait_for("the page", || world.sandbox.faults().hits() >= 1);
    world.sandbox.faults().clear();
    world.sandbox.faults().add(Fault::on("*", "/a/").html().always());
    world.sandbox.clear_requests();
    let run = world.cec(["stat", "common-files"]).run();
    assert_eq!((run.code, world.sandbox.requests().len()), (6, 1), "{run:?}");
    world.sandbox.clear_requests();
    let run = world.cec(["ls", "-d", "common-files"]).run();
    // The node and its children are requested at once; neither request is repeated.
    let requests: Vec<String> = world.sandbox.requests().into_iter().map(|request| request.path).collect();
    let once: std::collections::BTreeSet<&String> = requests.iter().collect();
    assert_eq!((run.code, requests.len()), (6, once.len()), "{run:?} {requests:?}");
    assert!(once.contains(&"/a/tree/stat/common-files".to_owned()), "{requests:?}");
}
