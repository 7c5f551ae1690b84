//! Reads the rows of `docs/PARITY.md`.

/// A behaviour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Also the name of its test.
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) turn: Turn,
}

/// What makes the emulator do otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    Setting(String),
    Line(Line),
}

/// A line of the emulator that does it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Below `crates/aaa-emulator/src`.
    pub(super) file: String,
    /// What stands there, once.
    pub(super) from: String,
    /// What does otherwise.
    pub(super) to: String,
}

/// Reads the rows, or says which line is none.
pub(super) fn read(text: &str) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let cells = cells(line);
        let [id, _, kind, _, turn] = cells.as_slice() else {
            return Err(format!("a row has {} cells and not five: {line}", cells.len()));
        };
        if id == "Id" {
            continue;
        }
        let turn = turn_of(turn).ok_or_else(|| format!("`{id}` is turned by nothing: {turn}"))?;
        rows.push(Row { id: id.clone(), kind: kind.clone(), turn });
    }
    Ok(rows)
}

/// A bar inside a cell is escaped; a new line is written as its sign.
fn cells(line: &str) -> Vec<String> {
    const BAR: &str = "\u{1}";
    let line = line.replace("\\|", BAR);
    let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
    inner.split('|').map(|cell| cell.trim().replace(BAR, "|").replace('⏎', "\n")).collect()
}

fn turn_of(cell: &str) -> Option<Turn> {
    if let Some(rest) = cell.strip_prefix("setting `") {
        return Some(Turn::Setting(rest.strip_suffix('`')?.to_owned()));
    }
    let (file, rest) = cell.strip_prefix('`')?.split_once("`: `` ")?;
    let (from, to) = rest.strip_suffix(" ``")?.split_once(" `` → `` ")?;
    let (file, from, to) = (file.to_owned(), from.to_owned(), to.to_owned());
    Some(Turn::Line(Line { file, from, to }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_lines() {
        let text = "\
# Parity

| Id | Behaviour | Kind | Source | Turned by |
|---|---|---|---|---|
| a_b | it `does` | documented | guide | setting `x_y` |
| c | it | own | me | `world.rs`: `` a \\| b,⏎c `` → `` a `` |
";
        let line = Line { file: "world.rs".into(), from: "a | b,\nc".into(), to: "a".into() };
        let row = |id: &str, kind: &str, turn| Row { id: id.into(), kind: kind.into(), turn };
        let expected = [
            row("a_b", "documented", Turn::Setting("x_y".into())),
            row("c", "own", Turn::Line(line)),
        ];
        assert_eq!(read(text).unwrap(), expected);
        assert!(read("| a | b |").is_err());
        assert!(read("| a | b | own | d | nothing |").is_err());
    }
}
