//! What is shown, and what keys and events make of it.

use std::collections::VecDeque;

use aaa_webhook::inbox::StoredEvent;

use crate::{events::columns, output};

/// How many events are kept; older ones are in the inbox.
const KEPT: usize = 2000;

/// A key that was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Escape,
    Backspace,
    Char(char),
    Interrupt,
    /// Nothing was pressed, but the picture is stale.
    Other,
}

/// What has to be done about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Nothing,
    End,
    /// Send the delivery of this event once more.
    Resend(u64),
}

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) words: String,
    pub(super) is_bad: bool,
}

impl Notice {
    pub(super) fn good(words: impl Into<String>) -> Self {
        Self { words: words.into(), is_bad: false }
    }

    pub(super) fn bad(words: impl Into<String>) -> Self {
        Self { words: words.into(), is_bad: true }
    }
}

/// What keys mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    List,
    /// What is typed goes into the filter.
    Filter,
    /// One event is shown; this many of its lines are above the screen.
    Details(usize),
}

/// A row of the list.
#[derive(Debug)]
struct Row {
    event: StoredEvent,
    /// What the filter looks at, in lower case.
    text: String,
}

/// All of it.
#[derive(Debug)]
pub(super) struct State {
    rows: VecDeque<Row>,
    arrived: u64,
    filter: String,
    mode: Mode,
    /// The number of the selected event; without one, whatever is the newest is selected.
    selected: Option<u64>,
    notice: Option<Notice>,
    resends_to: Option<String>,
    /// How many rows, or lines, fit on the screen, as of the last picture.
    page: usize,
}

impl State {
    /// Begins with nothing.
    pub(super) fn new(resends_to: Option<String>) -> Self {
        Self {
            rows: VecDeque::new(),
            arrived: 0,
            filter: String::new(),
            mode: Mode::List,
            selected: None,
            notice: None,
            resends_to,
            page: 10,
        }
    }

    /// Adds events, the newest last.
    pub(super) fn arrived(&mut self, events: impl IntoIterator<Item = StoredEvent>) {
        for mut event in events {
            // Who sends it again reads it from the inbox.
            event.body = Default::default();
            let user = event.for_user_id.as_deref().unwrap_or_default();
            let text = format!("{} {user} {} {}", event.kind, event.key, event.payload);
            self.rows.push_back(Row { text: text.to_lowercase(), event });
            self.arrived = self.arrived.saturating_add(1);
            if self.rows.len() > KEPT {
                self.rows.pop_front();
            }
        }
        self.settle();
    }

    /// Tells something, until a key is pressed.
    pub(super) fn tell(&mut self, notice: Notice) {
        self.notice = Some(notice);
    }

    /// Takes a key.
    pub(super) fn key(&mut self, key: Key) -> Effect {
        if key != Key::Other {
            self.notice = None;
        }
        match (key, self.mode) {
            (Key::Interrupt, _) => return Effect::End,
            (Key::Other, _) => {}
            (key, Mode::List) => return self.in_list(key),
            (key, Mode::Filter) => self.in_filter(key),
            (key, Mode::Details(above)) => return self.in_details(key, above),
        }
        Effect::Nothing
    }

    fn in_list(&mut self, key: Key) -> Effect {
        match key {
            Key::Escape if !self.filter.is_empty() => {
                self.filter.clear();
                self.settle();
            }
            Key::Escape | Key::Char('q') => return Effect::End,
            Key::Char('/') => self.mode = Mode::Filter,
            Key::Enter if self.selected().is_some() => {
                // It stays while others arrive.
                self.selected = self.selected().map(|event| event.seq);
                self.mode = Mode::Details(0);
            }
            Key::Char('r') => return self.resend(),
            Key::Up | Key::Char('k') => self.move_by(-1),
            Key::Down | Key::Char('j') => self.move_by(1),
            Key::PageUp => self.move_by(-self.page_length()),
            Key::PageDown => self.move_by(self.page_length()),
            Key::Home => self.move_by(isize::MIN),
            Key::End => self.selected = None,
            _ => {}
        }
        Effect::Nothing
    }

    fn in_filter(&mut self, key: Key) {
        match key {
            Key::Enter => self.mode = Mode::List,
            Key::Escape => {
                self.filter.clear();
                self.mode = Mode::List;
            }
            Key::Backspace => drop(self.filter.pop()),
            Key::Char(char) => self.filter.push(char),
            Key::Up => self.move_by(-1),
            Key::Down => self.move_by(1),
            _ => {}
        }
        self.settle();
    }

    fn in_details(&mut self, key: Key, above: usize) -> Effect {
        let page = self.page.max(1);
        match key {
            Key::Escape | Key::Enter | Key::Char('q') => self.mode = Mode::List,
            Key::Char('r') => return self.resend(),
            Key::Up | Key::Char('k') => self.mode = Mode::Details(above.saturating_sub(1)),
            Key::Down | Key::Char('j') => self.mode = Mode::Details(above.saturating_add(1)),
            Key::PageUp => self.mode = Mode::Details(above.saturating_sub(page)),
            Key::PageDown => self.mode = Mode::Details(above.saturating_add(page)),
            Key::Home => self.mode = Mode::Details(0),
            Key::End => self.mode = Mode::Details(usize::MAX),
            _ => {}
        }
        Effect::Nothing
    }

    fn resend(&mut self) -> Effect {
        let Some(seq) = self.selected().map(|event| event.seq) else { return Effect::Nothing };
        match &self.resends_to {
            Some(to) => {
                self.notice = Some(Notice::good(format!("sending event {seq} to {to}…")));
                Effect::Resend(seq)
            }
            None => {
                let words = "say with --resend-to URL where to send it";
                self.notice = Some(Notice::bad(words));
                Effect::Nothing
            }
        }
    }

    fn page_length(&self) -> isize {
        isize::try_from(self.page.max(1)).unwrap_or(isize::MAX)
    }

    /// Selects another row; whoever goes below the last one follows what arrives.
    fn move_by(&mut self, rows: isize) {
        let shown = self.shown();
        let last = shown.len().saturating_sub(1);
        let at = self.position(&shown).unwrap_or(last).saturating_add_signed(rows);
        self.selected = if at >= last { None } else { shown.get(at).map(|event| event.seq) };
    }

    /// Where nothing is selected any more the newest is.
    fn settle(&mut self) {
        if self.selected().is_none() {
            self.selected = None;
            if matches!(self.mode, Mode::Details(_)) {
                self.mode = Mode::List;
            }
        }
    }

    fn position(&self, shown: &[&StoredEvent]) -> Option<usize> {
        let seq = self.selected?;
        shown.iter().position(|event| event.seq == seq)
    }

    /// Returns the events that the filter lets through: each of its words is in them somewhere.
    pub(super) fn shown(&self) -> Vec<&StoredEvent> {
        let filter = self.filter.to_lowercase();
        let words: Vec<_> = filter.split_whitespace().collect();
        let fits = |row: &&Row| words.iter().all(|word| row.text.contains(word));
        self.rows.iter().filter(fits).map(|row| &row.event).collect()
    }

    /// Returns the selected event, and nothing when none is shown.
    pub(super) fn selected(&self) -> Option<&StoredEvent> {
        let shown = self.shown();
        match self.selected {
            Some(_) => shown.get(self.position(&shown)?).copied(),
            None => shown.last().copied(),
        }
    }

    /// Returns the index of the selected row among those that are shown.
    pub(super) fn selected_index(&self) -> Option<usize> {
        let shown = self.shown();
        self.position(&shown).or(shown.len().checked_sub(1))
    }

    /// Says whether the newest event is selected, whichever that is.
    pub(super) fn follows(&self) -> bool {
        self.selected.is_none()
    }

    /// Returns how many arrived in all.
    pub(super) fn count(&self) -> u64 {
        self.arrived
    }

    pub(super) fn filter(&self) -> &str {
        &self.filter
    }

    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    pub(super) fn notice(&self) -> Option<&Notice> {
        self.notice.as_ref()
    }

    /// Takes how many rows fit, and of a single event how many lines may be above the screen.
    pub(super) fn fit(&mut self, page: usize, most_above: usize) {
        self.page = page;
        if let Mode::Details(above) = &mut self.mode {
            *above = (*above).min(most_above);
        }
    }

    /// Returns the lines of the selected event: what is known of it, and its payload.
    pub(super) fn details(&self) -> Vec<String> {
        let Some(event) = self.selected() else { return Vec::new() };
        let mut lines = vec![
            format!("seq          {}", event.seq),
            format!("kind         {}", event.kind),
            format!("for user     {}", event.for_user_id.as_deref().unwrap_or("none")),
            format!("item         {}", columns::item(event)),
            format!("app          {}", event.app),
            format!("received     {}", event.received_at),
        ];
        if event.stale {
            lines.push("stale        yes, and so not handled".to_owned());
        }
        for (name, raw) in [("payload", &event.payload), ("context", &event.context)] {
            lines.push(String::new());
            lines.push(name.to_owned());
            let value: Option<serde_json::Value> = serde_json::from_str(raw.get()).ok();
            let pretty = value.and_then(|value| serde_json::to_string_pretty(&value).ok());
            let pretty = pretty.unwrap_or_else(|| raw.get().to_owned());
            lines.extend(pretty.lines().map(str::to_owned));
        }
        // All of it is somebody else's text.
        lines.iter().map(|line| output::printable(line)).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    pub(in crate::events::view) fn event(seq: u64, kind: &str, text: &str) -> StoredEvent {
        StoredEvent {
            seq,
            kind: kind.to_owned(),
            for_user_id: Some("7".to_owned()),
            key: format!("7/{kind}:{seq}"),
            app: "default".to_owned(),
            received_at: "2025-11-22T04:13:00Z".parse().unwrap(),
            stale: false,
            payload: RawValue::from_string(serde_json::json!({ "text": text }).to_string())
                .unwrap(),
            context: RawValue::from_string("{}".to_owned()).unwrap(),
            body: Default::default(),
            origin: Default::default(),
        }
    }

    fn state(events: u64) -> State {
        let mut state = State::new(None);
        state.arrived((1..=events).map(|seq| event(seq, "favorite_events", "hello")));
        state
    }

    fn seq(state: &State) -> Option<u64> {
        state.selected().map(|event| event.seq)
    }

    fn type_in(state: &mut State, text: &str) {
        for char in text.chars() {
            assert_eq!(state.key(Key::Char(char)), Effect::Nothing);
        }
    }

    #[test]
    fn the_newest_is_selected_until_somebody_looks_elsewhere() {
        let mut state = state(3);
        assert_eq!((seq(&state), state.follows()), (Some(3), true));
        state.arrived([event(4, "follow_events", "")]);
        assert_eq!(seq(&state), Some(4));
        state.key(Key::Up);
        state.arrived([event(5, "follow_events", "")]);
        assert_eq!((seq(&state), state.follows()), (Some(3), false));
        state.key(Key::Home);
        assert_eq!(seq(&state), Some(1));
        state.key(Key::Up);
        assert_eq!(seq(&state), Some(1));
        state.key(Key::PageDown);
        state.arrived([event(6, "follow_events", "")]);
        assert_eq!((seq(&state), state.count()), (Some(6), 6));
    }

    #[test]
    fn it_is_filtered_as_one_types() {
        let mut state = state(2);
        state.arrived([event(3, "direct_message_events", "Grüße an BOB")]);
        type_in(&mut state, "/q DIRECT");
        assert_eq!((state.shown().len(), seq(&state)), (0, None));
        for _ in 0.."q ".len() + "DIRECT".len() {
            state.key(Key::Backspace);
        }
        type_in(&mut state, "DIRECT bob");
        assert_eq!((state.filter(), seq(&state)), ("DIRECT bob", Some(3)));
        state.arrived([event(4, "favorite_events", "bob")]);
        assert_eq!(seq(&state), Some(3));
        state.key(Key::Enter);
        assert_eq!(state.mode(), Mode::List);
        // The first escape ends the filter, the second the view.
        assert_eq!(state.key(Key::Escape), Effect::Nothing);
        assert_eq!((state.shown().len(), seq(&state)), (4, Some(4)));
        assert_eq!(state.key(Key::Escape), Effect::End);
    }

    #[test]
    fn one_event_is_looked_at_while_others_arrive() {
        let mut state = state(2);
        state.key(Key::Enter);
        state.arrived([event(3, "follow_events", "a\u{9b}2Jb")]);
        assert_eq!((seq(&state), state.mode()), (Some(2), Mode::Details(0)));
        insta::assert_snapshot!(state.details().join("\n"), @r#"
        seq          2
        kind         favorite_events
        for user     7
        item         2
        app          default
        received     2025-11-22T04:13:00Z

        payload
        {
          "text": "hello"
        }

        context
        {}
        "#);
        state.key(Key::End);
        state.fit(5, 3);
        assert_eq!(state.mode(), Mode::Details(3));
        assert_eq!(state.key(Key::Char('q')), Effect::Nothing);
        state.key(Key::End);
        state.key(Key::Enter);
        assert!(state.details().iter().all(|line| !line.contains(char::is_control)));
        assert_eq!(state.key(Key::Interrupt), Effect::End);
    }

    #[test]
    fn sending_again_takes_a_url() {
        let mut here = state(2);
        assert_eq!(here.key(Key::Char('r')), Effect::Nothing);
        assert!(here.notice().unwrap().words.contains("--resend-to"));
        here.key(Key::Up);
        assert_eq!(here.notice(), None);
        let mut there = State::new(Some("`http://127.0.0.1/`".to_owned()));
        assert_eq!(there.key(Key::Char('r')), Effect::Nothing, "there is nothing to send");
        there.arrived([event(1, "follow_events", "")]);
        assert_eq!(there.key(Key::Char('r')), Effect::Resend(1));
        there.tell(Notice::bad("event 1 was answered 500"));
        there.key(Key::Other);
        assert!(there.notice().is_some_and(|notice| notice.is_bad));
        there.key(Key::Enter);
        assert_eq!(there.key(Key::Char('r')), Effect::Resend(1));
    }

    #[test]
    fn what_is_old_goes() {
        let mut state = state(1);
        state.key(Key::Enter);
        state.arrived((2..).take(KEPT).map(|seq| event(seq, "follow_events", "")));
        assert_eq!((state.shown().len(), state.mode()), (KEPT, Mode::List));
        assert_eq!(seq(&state), Some(KEPT as u64 + 1));
    }

    fn keys() -> impl Strategy<Value = Key> {
        prop_oneof![
            Just(Key::Up),
            Just(Key::Down),
            Just(Key::PageUp),
            Just(Key::PageDown),
            Just(Key::Home),
            Just(Key::End),
            Just(Key::Enter),
            Just(Key::Escape),
            Just(Key::Backspace),
            Just(Key::Other),
            proptest::char::range('/', 'r').prop_map(Key::Char),
        ]
    }

    proptest! {
        /// Whatever is pressed while events arrive: something is selected exactly when something
        /// is shown, and it is among what is shown.
        #[test]
        fn the_selection_is_always_shown(
            steps in proptest::collection::vec((keys(), 0_u64..3, 0_usize..9), 0..60),
        ) {
            let (mut state, mut last) = (State::new(None), 0);
            for (key, arriving, page) in steps {
                state.key(key);
                let events = (1..=arriving).map(|n| event(last + n, ["a", "b"][n as usize % 2], "x"));
                state.arrived(events.collect::<Vec<_>>());
                last += arriving;
                state.fit(page, page);
                let shown: Vec<_> = state.shown().iter().map(|event| event.seq).collect();
                let selected = seq(&state);
                prop_assert_eq!(selected.is_some(), !shown.is_empty());
                let by_index = state.selected_index().and_then(|at| shown.get(at)).copied();
                prop_assert_eq!(by_index, selected);
                if state.mode() == Mode::List && state.follows() {
                    prop_assert_eq!(selected, shown.last().copied());
                }
                prop_assert_eq!(state.details().is_empty(), selected.is_none());
            }
        }
    }
}
