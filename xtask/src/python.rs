//! Installation of Python programs into the target folder, with pinned hashes.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::workspace;

/// Installs a program unless the pinned version is already installed, and returns its path.
pub(crate) fn install(program: &str, requirements: &Path) -> Result<PathBuf> {
    let requirements = workspace::root().join(requirements);
    let folder = workspace::target_folder()?.join(program);
    let path = folder.join("bin").join(program);
    let installed = folder.join("requirements.txt");
    let pinned = std::fs::read(&requirements)?;
    if path.exists() && std::fs::read(&installed).is_ok_and(|text| text == pinned) {
        return Ok(path);
    }
    let run = |command: &mut Command| -> Result<()> {
        let status = command.status().with_context(|| format!("{command:?} can't be run"))?;
        ensure!(status.success(), "{command:?} ended with {status}");
        Ok(())
    };
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]);
    run(pip.arg("--requirement").arg(&requirements))?;
    std::fs::write(&installed, pinned)?;
    Ok(path)
}
