//! The engine that a command runs: from its arguments to an [`Executable`].

use crate::Failure;
use crate::machine::with_machine;
use clap::Args;
use serde_json::{Value, json};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use torch2trt::{EngineFile, Executable, Manifest, Options, RunOptions};

/// Which engine, and on what.
#[derive(Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// An engine file of torch2trt, or a plain TensorRT plan
    pub(crate) file: PathBuf,
    #[command(flatten)]
    run: RunOptions,
    /// Run host code that a version-compatible plan brings: it comes from people you trust
    #[arg(long)]
    trusted: bool,
}

impl Arguments {
    /// The arguments as a request to PyTorch.
    pub(crate) fn request(&self) -> Value {
        json!({ "file": self.file, "arguments": self.run, "trusted": self.trusted })
    }

    /// Whether the file is a plain plan rather than an engine file.
    pub(crate) fn is_plan(&self) -> Result<bool, Failure> {
        let mut start = [0; HEAD];
        let mut file = File::open(&self.file).map_err(|source| engine_error(&self.file, source))?;
        let read = file.read(&mut start).map_err(|source| engine_error(&self.file, source))?;
        Ok(holds_a_plan(&start[..read]))
    }

    /// Loads the engine.
    pub(crate) fn load(&self, site_packages: Vec<PathBuf>) -> Result<Executable, Failure> {
        let options = Options { trusted: self.trusted, ..with_machine(&self.run, site_packages) };
        Ok(load(&self.file, &options)?.0)
    }
}

/// Loads an engine file, or a plan, which has no manifest.
pub(crate) fn load(path: &Path, options: &Options) -> Result<(Executable, Option<Manifest>), Failure> {
    let bytes = read(path)?;
    if !holds_a_plan(&bytes) {
        let file = EngineFile::parse(bytes.into()).map_err(torch2trt::Error::from)?;
        let (executable, manifest) = torch2trt::load(file, options)?;
        return Ok((executable, Some(manifest)));
    }
    let plan = torch2trt::load_plan(bytes.into(), options).map_err(|error| not_loaded(path, &error))?;
    Ok((plan, None))
}

/// The error of a file that was taken for a plan: it may be neither.
fn not_loaded(path: &Path, error: &torch2trt::Error) -> torch2trt::Error {
    let message = format!("{} is not an engine file; as a plan, {}", path.display(), error.message());
    let named = torch2trt::Error::new(error.code(), message);
    match error.help() {
        Some(help) => named.with_help(help),
        None => named,
    }
}

/// As many bytes of a file as show what it is.
const HEAD: usize = 64;

/// Whether bytes may be those of a plan. An empty file is no plan, nor is an archive.
fn holds_a_plan(bytes: &[u8]) -> bool {
    !(bytes.is_empty() || bytes.starts_with(b"PK") || torch2trt::is_engine_file(bytes))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    Ok(std::fs::read(path).map_err(|source| engine_error(path, source))?)
}

/// The words that engine files have for it.
fn engine_error(path: &Path, source: std::io::Error) -> torch2trt::Error {
    let message = format!("{} cannot be read: {source}", path.display());
    torch2trt::Error::new(torch2trt::Code::EngineFile, message).with_help("give the path of an engine file or a plan")
}
