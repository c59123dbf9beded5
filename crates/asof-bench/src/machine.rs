//! What the figures were measured on.

use std::fs::read_to_string;

/// One line about the machine.
pub(crate) fn describe() -> String {
    let field = |path: &str, name: &str| {
        let text = read_to_string(path).ok()?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let unknown = || "unknown".to_owned();
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(unknown);
    let memory = field("/proc/meminfo", "MemTotal").unwrap_or_else(unknown);
    let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_else(|_| unknown());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let busy = read_to_string("/proc/loadavg").unwrap_or_default();
    let busy = busy.split_whitespace().next().unwrap_or("unknown").to_owned();
    format!(
        "{processor}, {cores} cores, {memory} of memory, Linux {}, load {busy} at the start",
        kernel.trim()
    )
}
