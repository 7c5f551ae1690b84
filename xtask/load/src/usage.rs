//! What a process takes of the machine, where the system tells: the files of `/proc` on Linux.

use std::fs;

/// Returns how many seconds of a core's time a process took.
pub fn cpu(process: u32) -> Option<f64> {
    seconds(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?, 0)
}

/// Returns how many seconds of a core's time the children of this process took, those that have
/// ended.
pub fn cpu_of_children() -> Option<f64> {
    seconds(&fs::read_to_string("/proc/self/stat").ok()?, 2)
}

/// Returns how much memory a process has, in MiB.
pub fn memory(process: u32) -> Option<f64> {
    mebibytes(&fs::read_to_string(format!("/proc/{process}/status")).ok()?, "VmRSS:")
}

/// Returns the most memory that a process ever had, in MiB.
pub fn most_memory(process: u32) -> Option<f64> {
    mebibytes(&fs::read_to_string(format!("/proc/{process}/status")).ok()?, "VmHWM:")
}

/// Adds user and system time. In it the unit is a hundredth of a second on every Linux.
fn seconds(text: &str, skipped: usize) -> Option<f64> {
    // The name may hold anything, and ends with the last bracket; user time is the twelfth after it.
    let (_, rest) = text.rsplit_once(')')?;
    let mut times = rest.split_whitespace().skip(11 + skipped);
    let mut next = || times.next()?.parse::<f64>().ok();
    Some((next()? + next()?) / 100.0)
}

fn mebibytes(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let text = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 50 200 30 20 0 1";
        assert_eq!((seconds(text, 0), seconds(text, 2)), (Some(2.0), Some(2.3)));
        assert_eq!(seconds("7 (a) S 1", 0), None);
    }

    #[test]
    fn memory_is_read() {
        let text = "Name:\taaa\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(mebibytes(text, "VmRSS:"), Some(1.0));
        assert_eq!(mebibytes(text, "VmHWM:"), Some(2.0));
        assert_eq!(mebibytes("Name:\taaa\n", "VmRSS:"), None);
    }
}
