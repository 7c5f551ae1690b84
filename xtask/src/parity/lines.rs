//! A copy of the workspace in which lines are changed, one at a time.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::table::Line;
use crate::{outcome::Failure, workspace::Workspace};

/// The copy. It builds where the workspace does, so dependencies are compiled once.
pub(super) struct Copy {
    workspace: Workspace,
}

impl Copy {
    /// Copies what cargo needs; an older copy is replaced.
    pub(super) fn new(workspace: &Workspace) -> Result<Self, Failure> {
        let root = workspace.target.join("xtask").join("parity");
        let fail = |error: io::Error| Failure::Failed(format!("{}: {error}", root.display()));
        if root.exists() {
            fs::remove_dir_all(&root).map_err(fail)?;
        }
        copy(&workspace.root, &root, &workspace.target).map_err(fail)?;
        let target = workspace.target.clone();
        Ok(Self { workspace: Workspace { root, target, members: Vec::new() } })
    }

    /// Does something while a line is another.
    pub(super) fn with<T>(
        &self,
        line: &Line,
        act: impl FnOnce(&Workspace) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let sources = self.workspace.root.join("crates").join("aaa-emulator").join("src");
        let path = sources.join(&line.file);
        let fail = |error: io::Error| Failure::Failed(format!("{}: {error}", path.display()));
        let text = fs::read_to_string(&path).map_err(fail)?;
        fs::write(&path, text.replacen(&line.from, &line.to, 1)).map_err(fail)?;
        let done = act(&self.workspace);
        fs::write(&path, text).map_err(fail)?;
        done
    }
}

fn copy(from: &Path, to: &Path, target: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if path == target || name == ".git" || name == "target" {
            continue;
        }
        let place: PathBuf = to.join(&name);
        if entry.file_type()?.is_dir() {
            copy(&path, &place, target)?;
        } else {
            fs::copy(&path, &place)?;
        }
    }
    Ok(())
}
