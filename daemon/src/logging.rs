//! The log, on standard error. It never holds names or contents of files: a log may end up on a disk in the clear.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use ui::cli::arguments::LogLevel;

/// Crates whose log is ours to choose; the others only warn.
const OWN_CRATES: [&str; 6] = ["peerdrive", "chunkstore", "ledger", "vfs", "platform", "ui"];

/// Knows of requests by name, and complains of what does no harm: a caller that was killed, a mount already gone.
const SILENT_CRATE: &str = "fuser";

/// Begins to log.
pub fn start(level: LogLevel) {
    let level = match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let others = level.min(LevelFilter::WARN);
    let filter = OWN_CRATES
        .iter()
        .fold(Targets::new().with_default(others), |filter, name| filter.with_target(*name, level));
    let filter = filter.with_target(SILENT_CRATE, LevelFilter::OFF);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    // Set before: tests of one process share the first.
    let _ = tracing_subscriber::registry().with(lines).with(filter).try_init();
}
