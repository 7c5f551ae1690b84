//! The code blocks of a document.

/// A block between two fences.
#[derive(Debug)]
pub(super) struct Block {
    /// Where its first fence is, from 1 on.
    pub(super) line: usize,
    pub(super) mark: Mark,
    lines: Vec<String>,
}

/// What is done with a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Run,
    Background,
    Elsewhere,
    /// It holds no commands.
    Other,
}

impl Mark {
    fn of(info: &str) -> Self {
        match info {
            "sh" => Self::Run,
            "sh background" => Self::Background,
            "sh elsewhere" => Self::Elsewhere,
            // Another spelling would be a way not to be run.
            other if ["sh", "bash", "shell", "console"].contains(&first_word(other)) => {
                panic!("`{other}` is no mark: write sh, sh background or sh elsewhere")
            }
            _ => Self::Other,
        }
    }

    pub(super) fn is_command(self) -> bool {
        self != Self::Other
    }
}

fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default()
}

impl Block {
    /// Returns its commands, each in one line.
    pub(super) fn commands(&self) -> Vec<String> {
        let mut commands = Vec::new();
        let mut open = String::new();
        for line in &self.lines {
            let line = line.trim();
            if let Some(begun) = line.strip_suffix('\\') {
                open.push_str(begun.trim_end());
                open.push(' ');
                continue;
            }
            let command = std::mem::take(&mut open) + line;
            let is_command = !command.is_empty() && !command.starts_with('#');
            if is_command && self.mark.is_command() {
                commands.push(command);
            }
        }
        commands
    }
}

/// Finds the blocks between fences of backticks.
pub(super) fn read(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(info), None) => {
                let mark = Mark::of(info.trim());
                open = Some(Block { line: index + 1, mark, lines: Vec::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.lines.push(line.to_owned()),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}
