//! How it looks.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::Paragraph,
};

use super::state::{Mode, State};
use crate::{
    events::columns,
    output::{self, Colour},
};

/// Draws all of it.
pub(super) fn draw(state: &mut State, frame: &mut Frame<'_>) {
    let parts = [Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)];
    let [top, middle, bottom] = Layout::vertical(parts).areas(frame.area());
    let details = matches!(state.mode(), Mode::Details(_));
    let details = details.then(|| broken(&state.details(), usize::from(middle.width)));
    let height = usize::from(middle.height);
    let most_above = details.as_ref().map_or(0, |lines| lines.len().saturating_sub(height));
    // One row of a list is its header.
    let page = if details.is_some() { height } else { height.saturating_sub(1) };
    state.fit(page, most_above);
    frame.render_widget(title(state), top);
    match (details, state.mode()) {
        (Some(lines), Mode::Details(above)) => event(lines, above, frame, middle),
        _ => list(state, frame, middle),
    }
    frame.render_widget(foot(state), bottom);
}

fn title(state: &State) -> Paragraph<'static> {
    let shown = state.shown().len();
    let mut spans = vec![Span::styled(" aaa events tail ", emphasis())];
    let follows = if state.follows() { "following" } else { "held" };
    spans.push(Span::raw(format!("  {} arrived, {shown} shown, {follows}", state.count())));
    let filter = output::printable(state.filter());
    match state.mode() {
        Mode::Filter => spans.push(Span::raw(format!("   /{filter}▏"))),
        _ if !filter.is_empty() => spans.push(Span::raw(format!("   /{filter}"))),
        _ => {}
    }
    Paragraph::new(Line::from(spans))
}

fn list(state: &State, frame: &mut Frame<'_>, area: Rect) {
    let rows = usize::from(area.height).saturating_sub(1);
    let shown = state.shown();
    let selected = state.selected_index().unwrap_or(0);
    // The selected row is on the screen, and as many before it as fit.
    let first = selected.saturating_add(1).saturating_sub(rows);
    let mut lines = vec![Line::styled(columns::header(), emphasis())];
    if shown.is_empty() {
        let words = if state.count() == 0 {
            "nothing has arrived yet"
        } else {
            "nothing that arrived fits the filter"
        };
        lines.push(Line::styled(format!("          {words}"), dim()));
    }
    for (at, event) in shown.iter().enumerate().skip(first).take(rows) {
        let plain = |_: Colour, text: &str| text.to_owned();
        let line = Line::raw(columns::line(event, plain));
        lines.push(match (at == selected, event.stale) {
            (true, _) => line.style(Style::new().add_modifier(Modifier::REVERSED)),
            (false, true) => line.style(dim()),
            (false, false) => line,
        });
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn event(lines: Vec<String>, above: usize, frame: &mut Frame<'_>, area: Rect) {
    let lines: Vec<_> = lines.into_iter().skip(above).map(Line::raw).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

/// Breaks lines that are wider than the screen.
fn broken(lines: &[String], width: usize) -> Vec<String> {
    let mut all = Vec::new();
    for line in lines {
        let mut left: Vec<_> = line.chars().collect();
        while left.len() > width.max(1) {
            let rest = left.split_off(width.max(1));
            all.push(left.into_iter().collect());
            left = rest;
        }
        all.push(left.into_iter().collect());
    }
    all
}

fn foot(state: &State) -> Paragraph<'static> {
    if let Some(notice) = state.notice() {
        let colour = if notice.is_bad { Color::Red } else { Color::Green };
        let words = output::printable(&notice.words);
        return Paragraph::new(Line::styled(format!(" {words}"), coloured(colour)));
    }
    let keys = match state.mode() {
        Mode::List => "↑ ↓ choose   end follow   enter look at   / filter   r send again   q end",
        Mode::Filter => "type words that must occur   enter keep   esc clear",
        Mode::Details(_) => "↑ ↓ scroll   r send again   esc back",
    };
    Paragraph::new(Line::styled(format!(" {keys}"), dim()))
}

fn emphasis() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

fn dim() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

/// Red and green say no more than the words do, and not everybody wants them.
fn coloured(colour: Color) -> Style {
    if output::has_colours() { Style::new().fg(colour) } else { emphasis() }
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, backend::TestBackend};

    use super::{
        super::state::{Key, Notice, tests::event},
        *,
    };

    /// What is on a screen of so many lines; the selected row is marked.
    fn screen(state: &mut State, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(100, height)).unwrap();
        terminal.draw(|frame| draw(state, frame)).unwrap();
        let buffer = terminal.backend().buffer();
        let line = |y: u16| {
            let cells = (0..buffer.area.width).map(|x| buffer.cell((x, y)).unwrap());
            let text: String = cells.map(|cell| cell.symbol()).collect();
            let first = buffer.cell((0, y)).unwrap();
            let mark = if first.modifier.contains(Modifier::REVERSED) { ">" } else { "|" };
            format!("{mark}{}", text.trim_end())
        };
        (0..height).map(line).collect::<Vec<_>>().join("\n")
    }

    fn some() -> State {
        let mut state = State::new(Some("`http://127.0.0.1:3000/`".to_owned()));
        let kinds = ["favorite_events", "follow_events", "direct_message_events"];
        let kinds = kinds.iter().cycle();
        state.arrived((1..=9).zip(kinds).map(|(seq, kind)| event(seq, kind, "hello")));
        state
    }

    #[test]
    fn a_list() {
        insta::assert_snapshot!(screen(&mut State::new(None), 5), @"
        | aaa events tail   0 arrived, 0 shown, following
        |     SEQ  RECEIVED (UTC)       FOR                  KIND                          ITEM
        |          nothing has arrived yet
        |
        | ↑ ↓ choose   end follow   enter look at   / filter   r send again   q end
        ");
        let mut state = some();
        insta::assert_snapshot!(screen(&mut state, 7), @"
        | aaa events tail   9 arrived, 9 shown, following
        |     SEQ  RECEIVED (UTC)       FOR                  KIND                          ITEM
        |       6  2025-11-22 04:13:00  7                    direct_message_events         6
        |       7  2025-11-22 04:13:00  7                    favorite_events               7
        |       8  2025-11-22 04:13:00  7                    follow_events                 8
        >       9  2025-11-22 04:13:00  7                    direct_message_events         9
        | ↑ ↓ choose   end follow   enter look at   / filter   r send again   q end
        ");
        state.key(Key::Home);
        state.key(Key::Down);
        insta::assert_snapshot!(screen(&mut state, 7), @"
        | aaa events tail   9 arrived, 9 shown, held
        |     SEQ  RECEIVED (UTC)       FOR                  KIND                          ITEM
        |       1  2025-11-22 04:13:00  7                    favorite_events               1
        >       2  2025-11-22 04:13:00  7                    follow_events                 2
        |       3  2025-11-22 04:13:00  7                    direct_message_events         3
        |       4  2025-11-22 04:13:00  7                    favorite_events               4
        | ↑ ↓ choose   end follow   enter look at   / filter   r send again   q end
        ");
    }

    #[test]
    fn a_filter() {
        let mut state = some();
        for key in "/direct".chars() {
            state.key(Key::Char(key));
        }
        insta::assert_snapshot!(screen(&mut state, 7), @"
        | aaa events tail   9 arrived, 3 shown, following   /direct▏
        |     SEQ  RECEIVED (UTC)       FOR                  KIND                          ITEM
        |       3  2025-11-22 04:13:00  7                    direct_message_events         3
        |       6  2025-11-22 04:13:00  7                    direct_message_events         6
        >       9  2025-11-22 04:13:00  7                    direct_message_events         9
        |
        | type words that must occur   enter keep   esc clear
        ");
        state.key(Key::Char('x'));
        insta::assert_snapshot!(screen(&mut state, 4), @"
        | aaa events tail   9 arrived, 0 shown, following   /directx▏
        |     SEQ  RECEIVED (UTC)       FOR                  KIND                          ITEM
        |          nothing that arrived fits the filter
        | type words that must occur   enter keep   esc clear
        ");
    }

    #[test]
    fn one_event() {
        let mut state = some();
        state.arrived([event(10, "follow\u{1b}[2J_events", "\u{202e}\u{9b}31m")]);
        state.key(Key::Enter);
        insta::assert_snapshot!(screen(&mut state, 16), @r#"
        | aaa events tail   10 arrived, 10 shown, held
        |seq          10
        |kind         follow [2J_events
        |for user     7
        |item         10
        |app          default
        |received     2025-11-22T04:13:00Z
        |
        |payload
        |{
        |  "text": "  31m"
        |}
        |
        |context
        |{}
        | ↑ ↓ scroll   r send again   esc back
        "#);
        state.key(Key::End);
        state.tell(Notice::bad("event 10 was answered 500\nand more"));
        insta::assert_snapshot!(screen(&mut state, 6), @"
        | aaa events tail   10 arrived, 10 shown, held
        |}
        |
        |context
        |{}
        | event 10 was answered 500 and more
        ");
    }

    #[test]
    fn lines_that_are_too_long() {
        let lines = ["abcdefg".to_owned(), String::new(), "ab".to_owned()];
        assert_eq!(broken(&lines, 3), ["abc", "def", "g", "", "ab"]);
        assert_eq!(broken(&lines[2..], 0), ["a", "b"]);
    }

    #[test]
    fn on_any_screen() {
        let mut state = some();
        for height in 1..12 {
            for key in [Key::Other, Key::Enter, Key::End, Key::Escape, Key::Home, Key::End] {
                state.key(key);
                screen(&mut state, height);
            }
        }
    }
}
