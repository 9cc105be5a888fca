//! stub
use anyhow::Result;
#[derive(clap::Args)]
pub(crate) struct BenchOptions {}
pub(crate) fn run(_: &BenchOptions) -> Result<bool> { Ok(true) }
