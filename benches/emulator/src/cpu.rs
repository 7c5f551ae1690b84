//! How much of a core's time was taken, where the system tells: the file `/proc/self/stat` of Linux.

/// Seconds that this process took.
pub(crate) fn own() -> Option<f64> {
    seconds(0)
}

/// Seconds that its children took, those that have ended.
pub(crate) fn children() -> Option<f64> {
    seconds(2)
}

fn seconds(skipped: usize) -> Option<f64> {
    read(&std::fs::read_to_string("/proc/self/stat").ok()?, skipped)
}

/// Adds user and system time. In it the unit is a hundredth of a second on every Linux.
fn read(text: &str, skipped: usize) -> Option<f64> {
    // The name may hold anything, and ends with the last bracket; user time is the twelfth after it.
    let (_, rest) = text.rsplit_once(')')?;
    let mut times = rest.split_whitespace().skip(11 + skipped);
    let mut next = || times.next()?.parse::<f64>().ok();
    Some((next()? + next()?) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let text = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 50 200 30 20 0 1";
        assert_eq!((read(text, 0), read(text, 2)), (Some(2.0), Some(2.3)));
        assert_eq!(read("7 (a) S 1", 0), None);
    }
}
