//! What only happens on a terminal: questions, aligned columns, escapes. These tests need the `script` program; where
//! it is missing they prove nothing.

#![cfg(unix)]

use crate::support::World;

const CTRL_C: &str = "\u{3}";
const CTRL_D: &str = "\u{4}";

fn world() -> World {
    let world = World::new();
    for path in ["a.txt", "b.txt", "folder/x", "folder/y"] {
        world.put(&format!("common-files/{path}"), "content");
    }
    world
}

#[test]
fn only_yes_moves_a_folder_to_the_recycle_bin() {
    // Other answers: `ui::prompt`.
    for (answer, expected) in [("\n", 1), (CTRL_D, 1), (CTRL_C, 130), ("y\n", 0)] {
        let world = world();
        let rm = world.cec(["rm", "common-files/folder"]);
        let Some((code, screen)) = rm.on_terminal(&[("to the recycle bin? [y/N] ", answer)]) else { return };
        assert_eq!(code, expected, "{answer:?} {screen}");
        assert!(screen.starts_with("  common-files/folder/  (14 B)\n"), "{screen}");
        assert_eq!(world.tree().exists("common-files/folder"), expected != 0, "{answer:?} {screen}");
        let asked = world.sandbox.requests().iter().any(|request| request.path.contains("delete"));
        assert_eq!(asked, expected == 0, "{answer:?}");
        if answer == CTRL_C {
            let end = "\n\u{1b}[1;31merror\u{1b}[0m\u{1b}[1m:\u{1b}[0m interrupted: nothing was deleted\n";
            assert!(screen.ends_with(end), "{screen:?}");
        }
    }
}

#[test]
fn deleting_for_good_wants_the_whole_word() {
    for (answer, expected) in [("y\n", 1), ("yes\n", 0), (CTRL_D, 1), (CTRL_C, 130)] {
        let world = world();
        let rm = world.cec(["rm", "-p", "common-files/a.txt"]);
        let Some((code, screen)) = rm.on_terminal(&[("Type 'yes' to continue: ", answer)]) else { return };
        assert_eq!(code, expected, "{answer:?} {screen}");
        assert_eq!(world.tree().exists("common-files/a.txt"), expected != 0, "{answer:?} {screen}");
    }
}

#[test]
fn one_file_is_not_asked_about_and_force_never_asks() {
    let world = world();
    for (arguments, name) in [(&["rm"][..], "a.txt"), (&["rm", "-f"], "folder")] {
        let path = format!("common-files/{name}");
        let arguments = [arguments, &["--color", "never", &path]].concat();
        let Some(shown) = world.cec(arguments).on_terminal(&[]) else { return };
        let expected =
            format!("moved to the recycle bin: {path}\nhint: to undo: cec restore common-files/recycle_bin/{name}\n");
        assert_eq!(shown, (0, expected));
    }
    let silent = world.cec(["rm", "--no-input", "-p", "common-files/b.txt"]).on_terminal(&[]).expect("a terminal");
    assert_eq!(silent.0, 2, "{}", silent.1);
}

#[test]
fn listings_have_columns_and_a_header() {
    let world = world();
    world.put("common-files/\u{1b}[2Jevil\u{202e}", "x");
    let Some((code, screen)) = world.cec(["ls", "-d", "--color", "never", "common-files"]).on_terminal(&[]) else {
        return;
    };
    let lines: Vec<&str> = screen.lines().collect();
    assert_eq!((code, lines.len()), (0, 5), "{screen}");
    assert!(lines[0].starts_with("TYPE    UUID  ") && lines[0].ends_with("SIZE  MODIFIED  HASH"), "{screen}");
    assert!(screen.contains("\\u{1b}[2Jevil\\u{202e}") && !screen.contains('\u{1b}'), "{screen}");
    assert!(screen.contains("  now  "), "{screen}");
    let (_, names) = world.cec(["ls", "common-files"]).on_terminal(&[]).expect("a terminal");
    assert!(names.contains("\u{1b}[1;34mfolder\u{1b}[0m/\n"), "{names:?}");
}

#[test]
fn names_cannot_act_on_the_terminal() {
    let name = "evil\u{1b}[2J\u{9b}31m\r\u{202e}\t\nname";
    let shown = "evil\\u{1b}[2J\\u{9b}31m\\r\\u{202e}\\t\\nname";
    let world = World::new();
    world.put(&format!("common-files/tree/{name}"), "x");
    for arguments in [
        &["ls", "common-files/tree"][..],
        &["ls", "-r", "common-files/tree"],
        &["ls", "-d", "common-files/tree"],
        &["ls", "-R", "common-files"],
        &["stat", "common-files/tree/*"],
        &["ls", "-0", "common-files/tree"],
        &["find", "-0", "common-files/tree"],
        &["ls", "common-files/nope\u{1b}[2J"],
        &["scp", "-nv", "cells://common-files/tree", "."],
        &["rm", "-f", "common-files/tree/*"],
    ] {
        let run = world.cec(arguments.iter().copied().chain(["--color", "never"]));
        let Some((_, screen)) = run.on_terminal(&[]) else { return };
        // The NULs are this program's own, as asked for.
        let is_own = |character| matches!(character, '\n' | '\0');
        let acts = |character: char| character.is_control() && !is_own(character) || character == '\u{202e}';
        assert!(!screen.contains(acts), "{arguments:?} {screen:?}");
        assert!(screen.contains(shown) || screen.contains("nope\\u{1b}[2J"), "{arguments:?} {screen:?}");
    }
}

#[test]
fn configure_asks_for_what_is_missing_and_hides_the_secret() {
    let world = World::new();
    let token = world.sandbox.token("alice");
    let typed = format!("{token}\n");
    let url = format!("{}\n", world.url());
    let configure = world.signed_out(["configure", "--skip-keyring"]);
    let dialogue = [("URL of the server: ", url.as_str()), ("Choice [1]: ", "token\n"), ("Token: ", &typed)];
    let Some((code, screen)) = configure.on_terminal(&dialogue) else { return };
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("signed in as alice on URL"), "{screen}");
    assert!(world.config_file().exists());
}

#[test]
fn configure_takes_a_password_and_stops_at_ctrl_c() {
    let world = World::new();
    let typed = format!("{}\n", world.sandbox.password("bob"));
    let arguments = ["configure", world.url(), "--skip-keyring"];
    let dialogue = [("Choice [1]: ", "password\n"), ("Login: ", "bob\n"), ("Password: ", CTRL_C)];
    let Some((code, screen)) = world.signed_out(arguments).on_terminal(&dialogue) else { return };
    assert_eq!(code, 130, "{screen}");
    assert!(!world.config_file().exists());
    let dialogue = [("Choice [1]: ", "3\n"), ("Login: ", "bob\n"), ("Password: ", &typed)];
    let (code, screen) = world.signed_out(arguments).on_terminal(&dialogue).expect("a terminal");
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("signed in as bob"), "{screen}");
}

#[test]
fn without_a_browser_the_page_is_shown_and_its_code_asked_for() {
    let world = World::new();
    let ask = "Then paste the code shown there: ";
    for (arguments, variables, said) in [
        (&["--no-browser"][..], &[("DISPLAY", ":0")][..], "Open this page in a browser, on any machine"),
        (&[], &[("DISPLAY", ":0"), ("SSH_CONNECTION", "a b c d")], "this is an SSH session, so no browser was opened"),
        (&[], &[], "there is no display, so no browser was opened"),
    ] {
        if cfg!(target_os = "macos") && variables.is_empty() {
            continue;
        }
        let command =
            ["configure", "oauth", world.url(), "--skip-keyring"].into_iter().chain(arguments.iter().copied());
        let mut cec = world.signed_out(command);
        for (name, value) in variables {
            cec = cec.env(name, value);
        }
        let address = "https://h/oauth2/oob?code=abc&state=another-state-altogether\n";
        let wrong = (ask, "never-issued\n");
        let dialogue = [(ask, "a code\n"), (ask, address), wrong, wrong, wrong];
        let Some((code, screen)) = cec.on_terminal(&dialogue) else { return };
        assert_eq!(code, 4, "{screen}");
        for text in [
            said,
            "  URL/oidc/oauth2/auth?response_type=code&client_id=cells-client&",
            "Not usable: this is neither a code nor the address of the page.",
            "Not usable: this belongs to another sign-in: its state does not match.",
            "Not usable: the code was not accepted: it is incomplete, already used, or expired.",
        ] {
            assert!(screen.contains(text), "{text}: {screen}");
        }
        assert!(!world.config_file().exists());
    }
}

#[test]
fn secrets_from_standard_input_are_typed_unseen() {
    let world = World::new();
    let token = format!("{}\n", world.sandbox.token("alice"));
    let password = format!("{}\n", world.sandbox.password("alice"));
    let ls = world.signed_out(["ls", "-f", "common-files", "-u", world.url(), "-t", "-"]);
    let Some((code, screen)) = ls.on_terminal(&[("Token: ", &token)]) else { return };
    assert_eq!((code, screen.as_str()), (0, "Token: \ntrue\n"));
    let flags = ["-u", world.url(), "--login", "alice", "--password", "-"];
    let ls = world.signed_out(["ls", "-f", "common-files"].into_iter().chain(flags));
    let (code, screen) = ls.on_terminal(&[("Password: ", &password)]).expect("a terminal");
    assert_eq!((code, screen.as_str()), (0, "Password: \ntrue\n"));
}

#[test]
fn a_secret_on_the_command_line_is_warned_of() {
    let world = World::new();
    let (token, password) = (world.sandbox.token("alice"), world.sandbox.password("alice"));
    let session = world.sandbox.sign_in("alice").access;
    let url = world.url();
    for (flag, arguments) in [
        ("--token", &["ls", "-f", "common-files", "-u", url, "-t", &token][..]),
        ("--password", &["ls", "-f", "common-files", "-u", url, "--login", "alice", "--password", password]),
        ("--token and --header", &["info", "-u", url, "-t", &token, "--header", "X-Api-Key: of-the-proxy"]),
        ("--token", &["configure", "token", url, "-t", &token, "--skip-keyring"]),
        ("--id-token", &["configure", "oauth", url, "--id-token", &session, "--skip-keyring"]),
        ("--id-token", &["config", "add", "oauth", "-u", url, "--id-token", &session, "--skip-keyring"]),
    ] {
        let cec = world.signed_out(arguments.iter().copied().chain(["--color", "never"]));
        let Some((code, screen)) = cec.on_terminal(&[]) else { return };
        assert_eq!(code, 0, "{flag} {screen}");
        let warning = format!("warning: other users of this machine can see {flag} on the command line; ");
        assert_eq!(screen.matches("on the command line").count(), 1, "{screen}");
        assert!(screen.starts_with(&warning), "{screen}");
    }
}

#[test]
fn clear_asks_first() {
    let world = World::new();
    world.install_config(include_str!("../recordings/config/pat-clear.json"));
    let question = "Remove all stored accounts? [y/N] ";
    let Some((code, screen)) = world.signed_out(["clear"]).on_terminal(&[(question, "\n")]) else { return };
    assert_eq!(code, 1, "{screen}");
    assert!(world.config_file().exists());
    let (code, screen) = world.signed_out(["clear"]).on_terminal(&[(question, "y\n")]).expect("a terminal");
    assert_eq!(code, 0, "{screen}");
    assert!(!world.config_file().exists());
}

#[test]
fn a_second_ctrl_c_leaves_no_bar_behind() {
    let world = World::new();
    std::fs::write(world.home().join("one"), "1").expect("a file");
    world.sandbox.faults().add(cells_sandbox::Fault::on("PUT", "/io/common-files/one").hang().always());
    let scp = world.cec(["scp", "one", "cells://common-files"]);
    let dialogue = [("0/1 files", CTRL_C), ("stopping: waiting", CTRL_C)];
    let Some((code, screen)) = scp.on_terminal(&dialogue) else { return };
    assert_eq!(code, 130, "{screen:?}");
    let (_, after) = screen.rsplit_once("0/1 files").expect("a bar");
    assert!(after.contains("\u{1b}[2K"), "{screen:?}");
    assert!(!screen.contains("failed"), "{screen:?}");
}

#[test]
fn a_server_that_is_none_and_a_wrong_password_are_asked_for_again() {
    let world = World::new();
    let (wrong, right) = (format!("127.0.0.1:{}\n", world.port()), format!("{}\n", world.url()));
    let password = format!("{}\n", world.sandbox.password("alice"));
    let dialogue = [
        ("URL of the server: ", wrong.as_str()),
        ("URL of the server: ", &right),
        ("Choice [1]: ", "password\n"),
        ("Login: ", "alic\n"),
        ("Password: ", "wrong\n"),
        ("Login [alic]: ", "alice\n"),
        ("Password: ", &password),
    ];
    let Some((code, screen)) = world.signed_out(["configure", "--skip-keyring"]).on_terminal(&dialogue) else { return };
    assert_eq!(code, 0, "{screen}");
    for told in ["does not speak TLS", "wrong login or password", "signed in as alice"] {
        assert!(screen.contains(told) && !screen.contains(password.trim()), "{told}: {screen}");
    }
    // Never for ever: ten wrong ones lock the user.
    world.sandbox.clear_requests();
    let asked = ("Password: ", "wrong\n");
    let arguments = ["configure", "client-auth", world.url(), "--login", "alice", "--skip-keyring"];
    let (code, screen) = world.signed_out(arguments).on_terminal(&[asked; 3]).expect("a terminal");
    let logins = world.sandbox.requests().iter().filter(|request| request.path == "/a/frontend/session").count();
    assert_eq!((code, logins), (4, 3), "{screen}");
}

#[test]
fn signing_in_again_asks_how_and_begins_with_the_way_of_before() {
    let world = World::new();
    let token = world.sandbox.token("alice");
    let typed = format!("{token}\n");
    let arguments = ["configure", "token", world.url(), "--skip-keyring", "--with-token"];
    assert_eq!(world.signed_out(arguments).input(&token).run().code, 0);
    let relog = || world.signed_out(["config", "relog", "--skip-keyring"]);
    let Some((code, screen)) = relog().on_terminal(&[("Choice [1]: ", "\n"), ("Token: ", &typed)]) else { return };
    assert!(code == 0 && screen.contains("  1) token\n  2) browser\n  3) password\n"), "{screen}");
    let password = format!("{}\n", world.sandbox.password("alice"));
    let dialogue = [("Choice [1]: ", "password\n"), ("Password: ", password.as_str())];
    let (code, screen) = relog().on_terminal(&dialogue).expect("a terminal");
    assert!(code == 0 && screen.contains("the session renews itself"), "{screen}");
    // Somebody else is another account, if that is what is wanted.
    let bob = format!("{}\n", world.sandbox.token("bob"));
    let question = "the token belongs to bob, but the account belongs to alice. Store it as another account? [y/N] ";
    for (answer, expected, accounts) in [("n\n", 2, 1), ("y\n", 0, 2)] {
        let dialogue = [("Choice [1]: ", "token\n"), ("Token: ", bob.as_str()), (question, answer)];
        let (code, screen) = relog().on_terminal(&dialogue).expect("a terminal");
        assert_eq!(code, expected, "{screen}");
        let list = world.signed_out(["config", "ls"]).run().stdout;
        assert_eq!(list.lines().count(), accounts, "{list}");
    }
}
