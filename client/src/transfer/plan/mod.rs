//! Planning: turns what the user named into jobs ([`target`]), and jobs into steps while trees are walked.

pub mod claims;
pub mod decision;
pub mod download;
pub mod folders;
pub mod job;
pub mod step;
pub mod target;
pub mod upload;

use std::path::Path;

use tokio::sync::mpsc;

pub use job::Job;

use crate::transfer::event::Direction;
use crate::transfer::plan::folders::FolderMaker;
use crate::transfer::plan::step::{Candidate, Step};
use crate::transfer::{Engine, TransferError};

/// The receiver of the steps is gone, because the run has ended.
pub(in crate::transfer) struct Stopped;

impl Engine {
    /// Turns jobs into steps until the receiver of the steps is gone.
    pub(in crate::transfer) async fn plan(self, jobs: Vec<Job>, steps: mpsc::Sender<Step>) {
        let is_download = |job: &Job| matches!(job, Job::DownloadFile(_) | Job::DownloadTree(_));
        let direction = if jobs.iter().any(is_download) { Direction::Download } else { Direction::Upload };
        let maker = FolderMaker::start(self.api.clone(), self.options.dry_run, self.observer.clone());
        for job in jobs {
            match job {
                Job::MakeFolder(folder) => maker.make(folder).await,
                Job::MakeLocalFolder(path) => {
                    if let Err(error) = self.make_local_folder(&path) {
                        let (source, target) = (path.display().to_string(), String::new());
                        let step = Step::Refused { direction: Direction::Download, source, target, error };
                        if self.add_step(&steps, step).await.is_err() {
                            return;
                        }
                    }
                }
                Job::UploadFile(candidate) => {
                    if self.add_step(&steps, Step::File(Candidate::Upload(candidate))).await.is_err() {
                        return;
                    }
                }
                Job::DownloadFile(candidate) => {
                    if self.add_step(&steps, Step::File(Candidate::Download(candidate))).await.is_err() {
                        return;
                    }
                }
                Job::Refused { direction, source, error } => {
                    let step = Step::Refused { direction, source, target: String::new(), error };
                    if self.add_step(&steps, step).await.is_err() {
                        return;
                    }
                }
                Job::Excluded(source) => self.observer.excluded(&source),
                Job::LeftOut { source, reason } => {
                    if self.add_step(&steps, Step::left_out(source, reason)).await.is_err() {
                        return;
                    }
                }
                Job::UploadTree(tree) => self.plan_tree_upload(tree, &maker, &steps).await,
                Job::DownloadTree(tree) => self.plan_tree_download(tree, &steps).await,
            }
        }
        for name in self.options.local.filter.missing() {
            let error = TransferError::NotFound(format!("'{name}' is in the list, but is not a file in the source"));
            let step = Step::Refused { direction, source: name, target: String::new(), error };
            if self.add_step(&steps, step).await.is_err() {
                return;
            }
        }
        self.observer.walk_finished();
    }

    fn make_local_folder(&self, path: &Path) -> Result<(), TransferError> {
        if !self.options.dry_run {
            std::fs::create_dir_all(path).map_err(|error| TransferError::local(path, error))?;
        }
        self.observer.folder_made(Direction::Download, &path.display().to_string());
        Ok(())
    }

    /// Adds a step to the plan.
    ///
    /// # Errors
    /// The receiver of the steps is gone.
    pub(in crate::transfer) async fn add_step(&self, steps: &mpsc::Sender<Step>, step: Step) -> Result<(), Stopped> {
        if let Step::File(candidate) = &step {
            self.observer.found(candidate.size());
        }
        steps.send(step).await.map_err(|_| Stopped)
    }
}
