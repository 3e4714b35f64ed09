//! A command line for each command of the program, with what it may write and what must be so when it says that all is
//! well.

/// Whose credentials a command has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    /// A token in the environment.
    Token,
    /// A session in config.json that has to be renewed at once.
    Session,
    /// A login and a password in the environment.
    Password,
    /// None at all.
    Nobody,
}

/// What must be so after exit code 0, whatever the server said.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Effect {
    /// Nothing that could be looked at.
    Nothing,
    /// Nothing is there on the server.
    Gone(&'static str),
    /// A folder is there on the server.
    Folder(&'static str),
    /// The server has the same bytes under the first name as this machine under the second.
    Same(&'static str, &'static str),
}

/// A command line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// The name of the command, as docs/cli.md has it.
    pub(crate) command: &'static str,
    /// What is typed. `{url}`, `{before}` and `{password}` are filled in.
    pub(crate) typed: &'static str,
    pub(crate) account: Account,
    /// What is typed or piped in.
    pub(crate) input: &'static str,
    /// A command whose result is `{before}`, from a server that does not lie.
    pub(crate) before: &'static str,
    /// What may appear or change below the folder of the machine; a slash at the end means a folder with all in it.
    pub(crate) writes: &'static [&'static str],
    pub(crate) effect: Effect,
    /// Whether no answer at all, or none that makes sense, can be a success.
    pub(crate) asks: bool,
}

const fn line(command: &'static str, typed: &'static str) -> Line {
    Line {
        command,
        typed,
        account: Account::Token,
        input: "",
        before: "",
        writes: &[],
        effect: Effect::Nothing,
        asks: true,
    }
}

impl Line {
    const fn account(self, account: Account) -> Self {
        Self { account, ..self }
    }

    const fn input(self, input: &'static str) -> Self {
        Self { input, ..self }
    }

    const fn before(self, before: &'static str) -> Self {
        Self { before, ..self }
    }

    const fn writes(self, writes: &'static [&'static str]) -> Self {
        Self { writes, ..self }
    }

    const fn effect(self, effect: Effect) -> Self {
        Self { effect, ..self }
    }

    /// It has something to say without a server, too.
    const fn offline(self) -> Self {
        Self { asks: false, ..self }
    }
}

const COPY: &str = "cp --no-wait common-files/report.txt common-files/spare";
const SHARE: &str = "share common-files/report.txt";

/// All of them. Tests see to it that no command is missing.
pub(crate) const LINES: &[Line] = &[
    line("configure", "configure {url}").account(Account::Nobody).input("3\nalice\n{password}\n"),
    line("configure oauth", "configure oauth --no-browser {url}").account(Account::Nobody).input("code\n"),
    line("configure token", "configure token {url} --with-token --skip-keyring")
        .account(Account::Nobody)
        .input("atoken0123456789\n"),
    line("configure client-auth", "configure client-auth {url} --login alice --password {password} --skip-keyring")
        .account(Account::Nobody),
    line("configure check-keyring", "configure check-keyring").account(Account::Nobody).offline(),
    line("config add", "config add {url}").account(Account::Nobody).input("3\nalice\n{password}\n"),
    line("config add oauth", "config add oauth --no-browser {url}").account(Account::Nobody).input("code\n"),
    line("config add token", "config add token {url} --token atoken0123456789 --skip-keyring").account(Account::Nobody),
    line("config add client-auth", "config add client-auth {url} --login alice --password {password} --skip-keyring")
        .account(Account::Nobody),
    line("config add check-keyring", "config add check-keyring").account(Account::Nobody).offline(),
    line("config status", "config status").account(Account::Session),
    line("config ls", "config ls").account(Account::Session).offline(),
    line("config use", "config use alice").account(Account::Session).offline(),
    line("config rm", "config rm -f").account(Account::Session).offline(),
    line("config relog", "config relog --skip-keyring").account(Account::Session).input("3\n{password}\n"),
    line("config token", "config token").account(Account::Session),
    line("config token", "config token").account(Account::Password),
    line("config export", "config export --rclone").account(Account::Session),
    line("config export", "config export --aws").account(Account::Password),
    line("config export", "config export --s5cmd").account(Account::Password),
    line("config check-keyring", "config check-keyring").offline(),
    line("info", "info"),
    line("info", "info").account(Account::Session),
    line("clear", "clear -f").account(Account::Session).offline(),
    // Whoever may see no workspace gets no more than {}; so it is with `about`.
    line("ls", "ls").offline(),
    line("ls", "ls -d common-files"),
    line("ls", "ls -R -d common-files").account(Account::Session),
    line("ls", "ls {before}").before(SHARE).account(Account::Nobody),
    line("stat", "stat common-files/report.txt"),
    line("stat", "stat common-files/folder/*").account(Account::Password),
    line("find", "find common-files"),
    line("search", "search report"),
    line("about", "about").offline(),
    line("du", "du common-files"),
    line("tree", "tree common-files"),
    line("mkdir", "mkdir common-files/new").effect(Effect::Folder("common-files/new")),
    line("mkdir", "mkdir -p common-files/new/deeper").effect(Effect::Folder("common-files/new/deeper")),
    line("cp", "cp common-files/report.txt common-files/copy.txt")
        .effect(Effect::Same("common-files/copy.txt", "work/report.txt")),
    line("cp", COPY),
    line("mv", "mv common-files/report.txt common-files/moved.txt")
        .effect(Effect::Same("common-files/moved.txt", "work/report.txt")),
    line("rm", "rm common-files/folder").input("y\n").effect(Effect::Gone("common-files/folder")),
    line("rm", "rm -f common-files/folder/*.txt").effect(Effect::Gone("common-files/folder/a.txt")),
    line("rm", "rm -p common-files/report.txt").input("yes\n").effect(Effect::Gone("common-files/report.txt")),
    line("transfers ls", "transfers ls").offline(),
    // Nothing is unfinished here; tests/cli/resume.rs has the rest.
    line("transfers resume", "transfers resume --all"),
    line("transfers abort", "transfers abort --all"),
    line("trash ls", "trash ls").before("rm -f common-files/report.txt"),
    line("trash restore", "trash restore common-files/recycle_bin/report.txt")
        .before("rm -f common-files/report.txt")
        .effect(Effect::Same("common-files/report.txt", "work/report.txt")),
    // A server that says that there is nothing is believed.
    line("trash empty", "trash empty common-files").before("rm -f common-files/report.txt").input("yes\n"),
    line("restore", "restore common-files/recycle_bin/report.txt")
        .before("rm -f common-files/report.txt")
        .effect(Effect::Same("common-files/report.txt", "work/report.txt")),
    line("compress", "compress common-files/folder common-files/new.zip"),
    line("compress", "compress --no-wait common-files/folder common-files/new.zip"),
    line("extract", "extract common-files/archive.zip common-files/out").effect(Effect::Folder("common-files/out")),
    line("cat", "cat common-files/report.txt"),
    line("cat", "cat --offset 2 --count 5 common-files/report.txt"),
    line("scp", "scp cells://common-files/report.txt in")
        .writes(&["work/in/report.txt"])
        .effect(Effect::Same("common-files/report.txt", "work/in/report.txt")),
    line("scp", "scp -f cells://common-files/report.txt in/other.txt")
        .writes(&["work/in/other.txt"])
        .effect(Effect::Same("common-files/report.txt", "work/in/other.txt")),
    line("scp", "scp -f -p cells://common-files/folder in")
        .writes(&["work/in/folder/"])
        .effect(Effect::Same("common-files/folder/a.txt", "work/in/folder/a.txt")),
    line("scp", "scp cells://common-files/folder/*.txt in")
        .writes(&["work/in/a.txt", "work/in/b.txt"])
        .effect(Effect::Same("common-files/folder/a.txt", "work/in/a.txt")),
    line("scp", "scp cells://common-files/report.txt -"),
    line("scp", "scp {before} in/link.txt")
        .before(SHARE)
        .account(Account::Nobody)
        .writes(&["work/in/link.txt"])
        .effect(Effect::Same("common-files/report.txt", "work/in/link.txt")),
    line("scp", "scp report.txt cells://common-files/up.txt")
        .effect(Effect::Same("common-files/up.txt", "work/report.txt")),
    line("scp", "scp -f tree cells://common-files")
        .effect(Effect::Same("common-files/tree/deep/z", "work/tree/deep/z")),
    line("scp", "scp -f large.bin cells://common-files/large.bin --multipart-threshold 10 --part-size 10")
        .effect(Effect::Same("common-files/large.bin", "work/large.bin")),
    line("scp", "scp - cells://common-files/piped.txt").input("piped\n"),
    line("meta get", "meta get common-files/report.txt"),
    line("meta get", "meta get -f json common-files/report.txt"),
    line("meta set", "meta set -p common-files/report.txt -n usermeta-tags -s final"),
    line("meta ls", "meta ls").offline(),
    line("meta tag add", "meta tag add common-files/report.txt final"),
    line("meta tag rm", "meta tag rm common-files/report.txt final")
        .before("meta tag add common-files/report.txt final"),
    line("share", "share common-files/folder --label shared"),
    line("share ls", "share ls").before(SHARE),
    line("share show", "share show {before}").before(SHARE),
    line("share edit", "share edit {before} --max-downloads 3").before(SHARE),
    line("share rm", "share rm -f {before}").before(SHARE),
    line("idm list-users", "idm list-users"),
    // Where there is none, the server says no more than {}.
    line("idm list-groups", "idm list-groups").offline(),
    line("idm list-roles", "idm list-roles"),
    line("idm list-workspaces", "idm list-workspaces").offline(),
    line("idm list-acls", "idm list-acls"),
    line("idm user get", "idm user get alice"),
    line("idm user create", "idm user create carol --password-stdin")
        .before("idm user rm -f carol")
        .input("carol-Passw0rd!\n"),
    line("idm user update", "idm user update bob --display-name Bob"),
    line("idm user rm", "idm user rm -f dave"),
    line("idm user passwd", "idm user passwd bob --password-stdin").input("bob-Passw0rd!!\n"),
    line("storage list-datasources", "storage list-datasources"),
    line("storage resync-ds", "storage resync-ds pydiods1"),
    line("storage resync-ds", "storage resync-ds pydiods1 --wait"),
    // Whoever has no job gets no more than {}.
    line("jobs get", "jobs get").before(COPY).offline(),
    line("jobs get", "jobs get --format json").before(COPY).offline(),
    line("jobs delete", "jobs delete --job-id {before} --force").before(COPY),
    line("jobs watch", "jobs watch {before}").before(COPY),
    line("jobs logs", "jobs logs {before}").before(COPY),
    line("jobs cancel", "jobs cancel {before}").before(COPY),
    // The answer is the result, whatever it is.
    line("api", "api -i GET config/discovery").offline(),
    line("api", "api POST user -F Limit=2 --paginate").offline(),
    line("doctor", "doctor"),
    line("doctor", "doctor").account(Account::Session),
    line("update", "update").account(Account::Nobody).writes(&["bin/"]).offline(),
    line("version", "version").offline(),
    line("tools hash", "tools hash report.txt").offline(),
    line("tools version isvalid", "tools version isvalid 4.4.0").offline(),
    line("tools version isrelease", "tools version isrelease 4.4.0").offline(),
    line("tools version isgreater", "tools version isgreater 4.4.1 4.4.0").offline(),
    line("completion", "completion bash").offline(),
    line("doc", "doc -p docs").writes(&["work/docs", "work/docs/"]).offline(),
    line("__complete", "__complete fish -- ls common-files/").offline(),
];

/// The commands that take a place in docs/cli.md, and those that are hidden.
fn commands() -> Vec<String> {
    let text = include_str!("../../docs/cli.md");
    let sections = text.split("\n## cec ").skip(1).filter_map(|section| {
        let name = section.lines().next()?.to_owned();
        let usage = section.lines().find(|line| line.starts_with("Usage:"))?;
        // Those that only lead to others do nothing.
        (!usage.ends_with(" <COMMAND>")).then_some(name)
    });
    sections.chain(["doc", "__complete"].map(str::to_owned)).collect()
}

#[test]
fn every_command_has_a_line() {
    let known: Vec<String> = commands();
    assert!(known.len() > 70, "{known:?}");
    for command in &known {
        let has = LINES.iter().any(|line| line.command == command);
        assert!(has, "there is no line for 'cec {command}' in tests/chaos/lines.rs");
    }
    for line in LINES {
        assert!(known.iter().any(|command| command == line.command), "there is no command '{}'", line.command);
        assert!(line.typed.starts_with(line.command), "{line:?}");
    }
}
