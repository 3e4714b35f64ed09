//! The comparison: each case runs every tool in turn, round after round, on the same data.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::str::FromStr;

use anyhow::{bail, ensure};

use crate::measure::{self, Cost};
use crate::settings::Settings;
use crate::stage::{FILES_A_FOLDER, Stage, folder_name};
use crate::tools::{Tool, ToolRunner};

/// A case of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    /// Upload one large file.
    Up,
    /// Download one large file.
    Down,
    /// Upload one large file from standard input.
    Stream,
    /// Upload a tree of small files.
    SmallUp,
    /// Download a tree of small files.
    SmallDown,
    /// List a folder with many children.
    List,
}

impl Case {
    /// All cases, in order.
    pub(crate) const ALL: [Self; 6] = [Self::Up, Self::Down, Self::Stream, Self::SmallUp, Self::SmallDown, Self::List];

    /// Returns the name in `CEC_BENCH_CASES`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Stream => "stream",
            Self::SmallUp => "small-up",
            Self::SmallDown => "small-down",
            Self::List => "list",
        }
    }

    /// Returns the heading.
    pub(crate) fn title(self, settings: &Settings) -> String {
        let mebibytes = settings.large >> 20;
        match self {
            Self::Up => format!("{mebibytes} MiB up"),
            Self::Down => format!("{mebibytes} MiB down"),
            Self::Stream => format!("{mebibytes} MiB up from standard input"),
            Self::SmallUp => format!("{} files of 4 KiB up", settings.files),
            Self::SmallDown => format!("{} files of 4 KiB down", settings.files),
            Self::List => format!("a folder of {} children listed", settings.children),
        }
    }
}

impl FromStr for Case {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match Self::ALL.into_iter().find(|case| case.name() == text) {
            Some(case) => Ok(case),
            None => bail!("'{text}' in CEC_BENCH_CASES is none of up, down, stream, small-up, small-down, list"),
        }
    }
}

/// The results of one tool in one case.
#[derive(Debug)]
pub(crate) struct Row {
    /// The tool's name.
    pub(crate) name: &'static str,
    /// The costs of its runs.
    pub(crate) costs: Vec<Cost>,
    /// Why there are no more runs, if it failed.
    pub(crate) failure: Option<String>,
}

/// The result of a case.
#[derive(Debug)]
pub(crate) struct Table {
    /// The case.
    pub(crate) case: Case,
    /// Its heading.
    pub(crate) title: String,
    /// The results, cec first.
    pub(crate) rows: Vec<Row>,
    /// The cost of hashing the same bytes once with md5sum, for cases with large files.
    pub(crate) md5sum: Option<Cost>,
}

/// Runs a case.
///
/// # Errors
/// The preparation or the cleanup fails, which are not measured.
pub(crate) fn run(case: Case, settings: &Settings, stage: &Stage) -> anyhow::Result<Table> {
    let ground = CaseData::prepare(case, settings, stage)?;
    let tools = || std::iter::once((Tool::Cec, &settings.cec)).chain(settings.tools.iter().map(|(t, p)| (*t, p)));
    let mut rows: Vec<Row> = Vec::new();
    for (tool, _) in tools().filter(|(tool, _)| ground.can(*tool)) {
        rows.push(Row { name: tool.name(), costs: Vec::new(), failure: None });
    }
    let mut sums = Vec::new();
    for round in 0..settings.rounds {
        for (tool, program) in tools() {
            let Some(row) = rows.iter_mut().find(|row| row.name == tool.name() && row.failure.is_none()) else {
                continue;
            };
            let hand = ToolRunner { tool, program, stage, scp_options: &settings.scp_options };
            match ground.turn(&hand, round)? {
                Ok(cost) => row.costs.push(cost),
                Err(error) => row.failure = Some(error.to_string()),
            }
        }
        if matches!(case, Case::Up | Case::Down | Case::Stream) {
            let file = stage.large(settings.large)?;
            sums.push(measure::run(Command::new("md5sum").arg(file), &stage.scratch.path().join("log"))?);
        }
    }
    ground.clear()?;
    Ok(Table { case, title: case.title(settings), rows, md5sum: measure::median(&sums) })
}

/// The data of a case.
struct CaseData<'a> {
    case: Case,
    settings: &'a Settings,
    stage: &'a Stage,
    /// The local data to upload.
    local: String,
    /// The remote data to download or list.
    remote: String,
    /// Whether the remote data was created for this case.
    temporary: bool,
}

impl<'a> CaseData<'a> {
    fn prepare(case: Case, settings: &'a Settings, stage: &'a Stage) -> anyhow::Result<Self> {
        let mut remote = format!("{}/{}", stage.folder, case.name());
        stage.cec(&["mkdir", "-p", &remote])?;
        let marked = format!("cells://{remote}/");
        let mut local = String::new();
        let mut temporary = true;
        match case {
            Case::Up | Case::Stream => local = stage.large(settings.large)?,
            Case::Down => {
                local = stage.large(settings.large)?;
                stage.cec(&["scp", "-q", "-f", "--multipart-threshold", "5120", &local, &marked])?;
                remote = format!("{remote}/large.bin");
            }
            Case::SmallUp => local = stage.tree(settings.files)?,
            Case::SmallDown => {
                local = stage.tree(settings.files)?;
                stage.cec(&["scp", "-q", "-f", &local, &marked])?;
                remote = format!("{remote}/tree");
            }
            Case::List => match &stage.listed {
                Some(ready) => (remote, temporary) = (ready.clone(), false),
                None => {
                    local = stage.local("listed");
                    fs::create_dir_all(&local)?;
                    for number in 0..settings.children {
                        fs::write(format!("{local}/file-{number:07}.bin"), "twenty bytes of text")?;
                    }
                    stage.cec(&["scp", "-q", "-f", &local, &marked])?;
                    remote = format!("{remote}/listed");
                }
            },
        }
        Ok(Self { case, settings, stage, local, remote, temporary })
    }

    fn clear(self) -> anyhow::Result<()> {
        if self.case == Case::SmallDown {
            fs::remove_dir_all(self.stage.local("targets"))?;
        }
        if self.temporary {
            self.stage.erase(&format!("{}/{}", self.stage.folder, self.case.name()))?;
        }
        Ok(())
    }

    fn can(&self, tool: Tool) -> bool {
        match self.case {
            Case::Up | Case::Down | Case::List => true,
            Case::Stream => !matches!(tool, Tool::Curl | Tool::Older),
            Case::SmallUp | Case::SmallDown => tool != Tool::Curl,
        }
    }

    /// Runs one tool once. The inner error is the tool's, the outer one is any other.
    fn turn(&self, hand: &ToolRunner<'_>, round: usize) -> anyhow::Result<anyhow::Result<Cost>> {
        let log = self.stage.scratch.path().join("log");
        let turn = format!("{}-{round}", hand.tool.name());
        let (place, target) = (format!("{}/{turn}", self.remote), self.stage.local(&format!("targets/{turn}")));
        let up = matches!(self.case, Case::Up | Case::Stream | Case::SmallUp);
        if up {
            self.stage.cec(&["mkdir", "-p", &place])?;
        } else {
            fs::create_dir_all(&target)?;
        }
        let file = format!("{target}/large.bin");
        let command = match self.case {
            Case::Up => Some(hand.put(&self.local, &format!("{place}/large.bin"))),
            Case::Stream => hand.put_stream(&self.local, &format!("{place}/large.bin")),
            Case::SmallUp => hand.put_tree(&self.local, &place),
            Case::Down => Some(hand.get(&self.remote, &file)),
            Case::SmallDown => hand.get_tree(&self.remote, &target, self.settings.files.div_ceil(FILES_A_FOLDER)),
            Case::List => hand.list(&self.remote, self.settings.children),
        };
        let Some(mut command) = command else {
            return Ok(Err(anyhow::anyhow!("cannot")));
        };
        let outcome = measure::run(&mut command, &log).and_then(|cost| {
            self.check(&place, Path::new(&target), hand.tool, &log)?;
            Ok(cost)
        });
        if up {
            self.stage.erase(&place)?;
        } else if self.case == Case::Down {
            fs::remove_dir_all(&target)?;
        }
        // Downloaded trees are removed at the end only: file systems are slow to create files where many were just
        // removed.
        Ok(outcome)
    }

    /// Checks that everything was transferred, because some clients do not report what they skipped.
    fn check(&self, place: &str, target: &Path, tool: Tool, log: &Path) -> anyhow::Result<()> {
        match self.case {
            Case::Up | Case::Stream => self.stage.cec(&["stat", &format!("{place}/large.bin")]),
            Case::SmallUp => {
                let last = self.settings.files.saturating_sub(1);
                let name = format!("{}/file-{last:05}.bin", folder_name(last / FILES_A_FOLDER));
                self.stage.cec(&["stat", &format!("{place}/tree/{name}")])
            }
            Case::Down => {
                let size = fs::metadata(target.join("large.bin"))?.len();
                ensure!(size == self.settings.large, "it left {size} bytes");
                Ok(())
            }
            Case::SmallDown => {
                let files = count(target)?;
                ensure!(files == self.settings.files, "it fetched {files} files");
                Ok(())
            }
            Case::List => {
                let lines = String::from_utf8_lossy(&fs::read(log)?).lines().count();
                ensure!(tool == Tool::Curl || lines >= self.settings.children, "it listed {lines} lines");
                Ok(())
            }
        }
    }
}

fn count(folder: &Path) -> anyhow::Result<usize> {
    let mut files = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        files += if entry.file_type()?.is_dir() { count(&entry.path())? } else { 1 };
    }
    Ok(files)
}
