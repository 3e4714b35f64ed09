//! Completion, in the real shells.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{World, skipped};

fn world() -> World {
    let world = World::new();
    for name in ["a b.txt", "report: final.txt", "it's.txt", "plain.txt"] {
        world.put(&format!("common-files/docs/{name}"), "x");
    }
    world.put("common-files/docs/deep/x", "x");
    fs::write(world.home().join("local file.txt"), "x").expect("a file");
    world
}

/// Runs a script of a shell, signed in as admin, `cec` being on the path. `None` where there is no such shell.
fn shell(world: &World, program: &str, arguments: &[&str], script: &str) -> Option<String> {
    let path = ["/usr/bin", "/bin"].iter().map(|folder| Path::new(folder).join(program)).find(|path| path.exists());
    let Some(path) = path else {
        skipped(&format!("{program} (apt-get install {program})"));
        return None;
    };
    let bin = Path::new(env!("CARGO_BIN_EXE_cec")).parent().expect("a folder").display().to_string();
    let output = Command::new(path)
        .args(arguments)
        .arg(script)
        .env_clear()
        .env("PATH", format!("{bin}:/usr/bin:/bin"))
        .env("HOME", world.home())
        .env("XDG_CONFIG_HOME", world.home().join(".config"))
        .env("TERM", "dumb")
        .env("LC_ALL", "C.UTF-8")
        .env("CEC_URL", world.url())
        .env("CEC_TOKEN", world.sandbox.token("admin"))
        .current_dir(world.home())
        .stdin(Stdio::null())
        .output()
        .expect("the shell runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.is_empty(), "{program}: {errors}");
    Some(String::from_utf8(output.stdout).expect("UTF-8"))
}

/// What bash would put in place of the word under the cursor.
fn bash(world: &World, line: &str) -> Option<Vec<String>> {
    let script = format!(
        "source <(cec completion bash); COMP_LINE={}; COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=(cec); \
         _cec_complete; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        quoted(line)
    );
    let text = shell(world, "bash", &["--norc", "-c"], &script)?;
    Some(text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

fn fish(world: &World, line: &str) -> Option<Vec<String>> {
    let script = format!("cec completion fish | source; complete -C {}", quoted(line).replace("'\\''", "\\'"));
    let text = shell(world, "fish", &["--no-config", "-c"], &script)?;
    Some(text.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect())
}

/// What stands on the line after Tab in an interactive zsh.
fn zsh(world: &World, line: &str) -> Option<String> {
    let script = format!(
        "zmodload zsh/zpty; zpty shell zsh -f -i; \
         zpty -w shell 'PS1=; autoload -Uz compinit; compinit -u -D; source <(cec completion zsh); \
            zle -N show; show() {{ print -r -- \"[[$BUFFER]]\"; exit; }}; bindkey ^X show; print ready'; \
         zpty -r shell output '*ready*ready*'; \
         zpty -n -w shell {}$'\\t\\x18'; zpty -r shell output '*\\[\\[*\\]\\]*'; print -r -- $output",
        quoted(line)
    );
    let text = shell(world, "zsh", &["-f", "-c"], &script)?;
    let start = text.rfind("[[").expect(&text);
    Some(text[start + 2..].split("]]").next().unwrap_or_default().to_owned())
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[test]
fn bash_completes_remote_paths_with_spaces_colons_and_quotes() {
    let world = world();
    for (line, expected) in [
        ("cec sca", &[][..]),
        ("cec sc", &["scp "]),
        ("cec ls comm", &["common-files/"]),
        ("cec ls common-files/docs/a", &["common-files/docs/a\\ b.txt "]),
        ("cec ls common-files/docs/re", &["common-files/docs/report:\\ final.txt "]),
        ("cec ls common-files/docs/report:\\ f", &["\\ final.txt "]),
        ("cec ls common-files/docs/it", &["common-files/docs/it\\'s.txt "]),
        ("cec ls \"common-files/docs/it", &["common-files/docs/it's.txt\" "]),
        ("cec ls 'common-files/docs/a", &["common-files/docs/a b.txt' "]),
        ("cec scp cells://common-files/docs/pl", &["//common-files/docs/plain.txt "]),
        ("cec scp cells//common-files/docs/d", &["cells//common-files/docs/deep/"]),
        ("cec scp loc", &["local\\ file.txt "]),
        ("cec scp cel", &["cells://"]),
        ("cec ls --sort s", &["size "]),
        ("cec -q ls nowhere/", &[]),
    ] {
        let Some(given) = bash(&world, line) else { return };
        assert_eq!(given, expected, "{line}");
    }
}

#[test]
fn fish_completes_remote_paths() {
    let world = world();
    for (line, expected) in [
        ("cec sc", &["scp"][..]),
        ("cec ls comm", &["common-files/"]),
        ("cec ls common-files/docs/a", &["common-files/docs/a b.txt"]),
        ("cec ls common-files/docs/it", &["common-files/docs/it's.txt"]),
        ("cec scp cells://common-files/docs/r", &["cells://common-files/docs/report: final.txt"]),
        ("cec scp local", &["local file.txt"]),
        ("cec ls nowhere/", &[]),
    ] {
        let Some(given) = fish(&world, line) else { return };
        assert_eq!(given, expected, "{line}");
    }
}

#[test]
fn zsh_completes_remote_paths() {
    let world = world();
    for (line, expected) in [
        ("cec ls comm", "cec ls common-files/"),
        ("cec ls common-files/docs/a", "cec ls common-files/docs/a\\ b.txt "),
        ("cec ls 'common-files/docs/a", "cec ls 'common-files/docs/a b.txt' "),
        ("cec scp cells://common-files/docs/r", "cec scp cells://common-files/docs/report:\\ final.txt "),
        ("cec scp loc", "cec scp local\\ file.txt "),
        ("cec ls nowhere/", "cec ls nowhere/"),
    ] {
        let Some(given) = zsh(&world, line) else { return };
        assert_eq!(given, expected, "{line}");
    }
}

#[test]
fn a_server_that_does_not_answer_is_not_waited_for_and_nothing_is_said() {
    let world = world();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    for url in [url.as_str(), "http://127.0.0.1:1"] {
        let run = world.cec(["__complete", "fish", "--", "ls", "common-files/"]).env("CEC_URL", url).run();
        run.is(0, "", "");
    }
    world.signed_out(["__complete", "fish", "--", "ls", "common-files/"]).run().is(0, "", "");
    let dead = world.cec(["__complete", "fish", "--", "ls", "common-files/"]).env("CEC_TOKEN", &"x".repeat(87));
    dead.run().is(0, "", "");
}

#[test]
fn a_listing_is_kept_for_the_next_completion_of_a_stored_account() {
    let world = world();
    let token = world.sandbox.token("admin");
    let configure = ["configure", "token", "--skip-keyring", "--url", world.url(), "--with-token"];
    assert_eq!(world.signed_out(configure).input(&token).run().code, 0);
    let complete = |more: &[&'static str]| {
        let words = ["__complete", "zsh", "--"].iter().chain(more).chain(&["ls", "common-files/docs/d"]).copied();
        let before = world.sandbox.requests().len();
        world.signed_out(words).run().is(0, "common-files/docs/deep/\n", "");
        world.sandbox.requests().len() - before
    };
    assert!(complete(&[]) > 0);
    assert_eq!(complete(&[]), 0, "from the cache");
    assert!(complete(&["--no-cache"]) > 0);
    let cache = world.home().join(".cache/cec");
    let kept: Vec<_> = fs::read_dir(&cache).expect("the cache").flatten().collect();
    assert_eq!(kept.len(), 1);
    assert!(!fs::read_to_string(kept[0].path()).expect("a listing").contains(&token));
    // Credentials of the environment leave nothing behind.
    let other = World::new();
    other.cec(["__complete", "zsh", "--", "ls", "comm"]).run().is(0, "common-files/\n", "");
    assert!(!other.home().join(".cache").exists());
}

#[test]
fn every_shell_has_a_script() {
    let world = World::new();
    for name in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = world.signed_out(["completion", name]).run();
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{name}");
        assert!(run.stdout.contains("cec"), "{name}");
    }
    assert_eq!(world.signed_out(["completion", "tcsh"]).run().code, 2);
}
