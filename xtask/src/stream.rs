//! Runs a process and hands over each line of its output as it comes, standard output and
//! standard error in the order they were written.

use std::{
    io::{self, BufRead, BufReader, PipeReader},
    process::{Command, ExitStatus},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::Duration,
};

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// Whether another process still held the output after the end: one that was started and
    /// never stopped.
    pub(crate) left_running: bool,
}

enum Event {
    Line(String),
    End(io::Result<ExitStatus>),
}

/// Runs a process to its end. Descendants that outlive it are waited for no longer than
/// `patience` without a line.
pub(crate) fn run(
    mut command: Command,
    patience: Duration,
    mut line: impl FnMut(&str),
) -> io::Result<Ended> {
    let (reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn()?;
    // The command holds our copies of the writing end; the reader would never see the end.
    drop(command);

    let (lines, events) = mpsc::channel();
    let ends = lines.clone();
    thread::spawn(move || read(reader, &lines));
    thread::spawn(move || ends.send(Event::End(child.wait())));

    let mut status = None;
    let left_running = loop {
        // Before its end a process may be silent for as long as it likes.
        let event = match &status {
            None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(_) => events.recv_timeout(patience),
        };
        match event {
            Ok(Event::Line(text)) => line(&text),
            Ok(Event::End(end)) => status = Some(end?),
            Err(RecvTimeoutError::Disconnected) => break false,
            Err(RecvTimeoutError::Timeout) => break true,
        }
    };
    let status = status.ok_or_else(|| io::Error::other("the process was never waited for"))?;
    Ok(Ended { status, left_running })
}

fn read(reader: PipeReader, lines: &Sender<Event>) {
    let mut reader = BufReader::new(reader);
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&bytes);
        let sent = lines.send(Event::Line(text.trim_end_matches(['\n', '\r']).to_owned()));
        if sent.is_err() {
            return;
        }
        bytes.clear();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_outputs_in_order() {
        let mut lines = Vec::new();
        let command = shell("echo one; echo two >&2; printf 'three\\nrest'; exit 3");
        let ended = run(command, Duration::from_secs(60), |line| lines.push(line.to_owned()));
        let ended = ended.unwrap();
        assert_eq!(lines, ["one", "two", "three", "rest"]);
        assert_eq!(ended.status.code(), Some(3));
        assert!(!ended.left_running);
    }

    #[test]
    fn a_process_left_running_is_noticed() {
        // The orphan ends when `keep` is closed, at the end of this test.
        let (input, keep) = io::pipe().unwrap();
        let mut command = shell("exec 3<&0; cat <&3 & echo started");
        command.stdin(input);
        let mut lines = Vec::new();
        let ended = run(command, Duration::from_millis(10), |line| lines.push(line.to_owned()));
        assert!(ended.unwrap().left_running);
        assert_eq!(lines, ["started"]);
        drop(keep);
    }
}
