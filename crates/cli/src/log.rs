//! What the stages and TensorRT log, on standard error.

use tracing::Level;

/// Runs a command and shows its log: with 1 what is done, with 2 also every tactic that TensorRT tries. Messages of
/// other threads are not shown.
pub(crate) fn shown<T>(verbosity: u8, command: impl FnOnce() -> T) -> T {
    let level = match verbosity {
        0 => return command(),
        1 => Level::DEBUG,
        _ => Level::TRACE,
    };
    let subscriber = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).without_time();
    tracing::subscriber::with_default(subscriber.with_ansi(false).finish(), command)
}
