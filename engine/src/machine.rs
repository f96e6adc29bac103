//! What the machine has.

use std::fs::read_to_string;
use std::sync::LazyLock;

/// Bytes of memory that this process may use, as far as the system tells: those of the machine, or
/// of the control group that it runs in, whichever are fewer. `None` where nothing tells.
pub(crate) fn memory() -> Option<u64> {
    // Asked once: the files are read by the system anew each time.
    static MEMORY: LazyLock<Option<u64>> = LazyLock::new(|| {
        let machine = read_to_string("/proc/meminfo").ok().and_then(|told| total_of(&told));
        let files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
        let limits = files.iter().filter_map(|file| limit_of(&read_to_string(file).ok()?));
        limits.chain(machine).min()
    });
    *MEMORY
}

/// `MemTotal:       24690484 kB`
fn total_of(told: &str) -> Option<u64> {
    let line = told.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1_024)
}

/// A number of bytes; `max` is no limit.
fn limit_of(told: &str) -> Option<u64> {
    told.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_tells_is_read() {
        assert_eq!(total_of("MemTotal:       24690484 kB\nMemFree: 5 kB\n"), Some(24_690_484 * 1_024));
        assert_eq!(total_of("MemFree: 5 kB\n"), None);
        assert_eq!(total_of("MemTotal: many kB\n"), None);
        assert_eq!((limit_of("max\n"), limit_of("1073741824\n")), (None, Some(1 << 30)));
    }
}
