//! Users who post, like, follow and write to one another: what they do next, and nothing of how
//! anybody hears of it.
//!
//! It remembers recent posts, who follows whom and who writes to whom, so that replies answer posts
//! that there are, likes are of such posts and each only once, and messages have their conversation.

mod act;
mod mould;
mod saved;
mod words;

use std::collections::{BTreeSet, VecDeque};

use jiff::Timestamp;

use self::act::{Seen, What};
pub(crate) use self::{
    act::Act,
    mould::{Moulds, Values, concerns_other, key},
};
use crate::world::random::Random;

/// How many posts are remembered.
const POSTS: usize = 512;

/// How many conversations go on.
const TALKS: usize = 128;

/// How many follows, blocks and mutes are remembered.
const TIES: usize = 50_000;

/// The users, and what they remember.
#[derive(Debug)]
pub(crate) struct Society {
    random: Random,
    users: u64,
    posts: VecDeque<Post>,
    talks: VecDeque<Talk>,
    ties: BTreeSet<Tie>,
}

#[derive(Debug, Clone)]
struct Post {
    id: u64,
    author: u64,
    text: String,
    at: Timestamp,
    liked_by: Vec<u64>,
}

/// A conversation of two, the smaller id first.
#[derive(Debug, Clone, Copy)]
struct Talk {
    pair: (u64, u64),
    last: Option<Said>,
    read: bool,
}

#[derive(Debug, Clone, Copy)]
struct Said {
    by: u64,
    id: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tie {
    Follow(u64, u64),
    Block(u64, u64),
    Mute(u64, u64),
}

/// Everything around one act.
struct Moment<'a> {
    now: Timestamp,
    is_subscribed: &'a dyn Fn(u64) -> bool,
    mint: &'a mut dyn FnMut() -> u64,
}

impl Society {
    pub(crate) fn new(seed: u64, users: u32) -> Self {
        Self {
            // Not the numbers that ids and tokens come from.
            random: Random::new(seed ^ 0x50c1_e7a1_50c1_e7a1),
            users: users.into(),
            posts: VecDeque::new(),
            talks: VecDeque::new(),
            ties: BTreeSet::new(),
        }
    }

    pub(crate) fn resize(&mut self, users: u32) {
        self.users = users.into();
    }

    /// Draws one of several.
    pub(crate) fn draw(&mut self, of: &[u64]) -> Option<u64> {
        let at = self.below(u64::try_from(of.len()).ok()?);
        of.get(usize::try_from(at).ok()?).copied()
    }

    /// Has something happen in which `subscriber` takes part. What somebody did unseen before, so
    /// that others can answer it, is of users who are not subscribed.
    pub(crate) fn act(
        &mut self,
        subscriber: u64,
        now: Timestamp,
        is_subscribed: &dyn Fn(u64) -> bool,
        mint: &mut dyn FnMut() -> u64,
    ) -> Act {
        let mut moment = Moment { now, is_subscribed, mint };
        let other = self.somebody_but(subscriber);
        let (actor, other) =
            if self.chance(50) { (subscriber, other) } else { (other, subscriber) };
        match self.below(100) {
            0..=11 => self.post(subscriber, &mut moment),
            12..=34 => self.respond(actor, other, &mut moment),
            35..=61 => self.like(actor, other, &mut moment),
            62..=70 => self.follow(actor, other, &mut moment),
            71..=94 => self.talk(actor, other, &mut moment),
            95..=96 => self.delete(subscriber, &mut moment),
            _ => self.turn_away(actor, other),
        }
    }

    fn post(&mut self, author: u64, moment: &mut Moment<'_>) -> Act {
        let text = self.pick(words::POSTS).to_owned();
        let id = self.remember(author, text.clone(), moment);
        Act::new(What::Post, author, 0).saying(id, text)
    }

    /// `actor` answers, reposts, quotes or mentions `other`.
    fn respond(&mut self, actor: u64, other: u64, moment: &mut Moment<'_>) -> Act {
        let how = self.below(100);
        if how < 15 {
            let text = format!("@user{other} {}", self.pick(words::POSTS));
            let id = self.remember(actor, text.clone(), moment);
            return Act::new(What::Mention, actor, other).saying(id, text);
        }
        let found = self.post_of(other, |_| true, moment);
        let Some(seen) = found.and_then(|at| self.posts.get(at)).map(Post::seen) else {
            return self.post(other, moment);
        };
        let (what, text) = match how {
            15..=64 => (What::Reply, format!("@user{other} {}", self.pick(words::REPLIES))),
            65..=84 => (What::Repost, format!("RT @user{other}: {}", seen.text)),
            _ => (What::Quote, self.pick(words::REPLIES).to_owned()),
        };
        let id = self.remember(actor, text.clone(), moment);
        Act::new(what, actor, other).saying(id, text).about(seen)
    }

    fn like(&mut self, actor: u64, other: u64, moment: &mut Moment<'_>) -> Act {
        let is_new = |post: &Post| !post.liked_by.contains(&actor);
        let found = self.post_of(other, is_new, moment);
        let Some(post) = found.and_then(|at| self.posts.get_mut(at)) else {
            return self.post(other, moment);
        };
        post.liked_by.push(actor);
        Act::new(What::Like, actor, other).about(post.seen())
    }

    fn follow(&mut self, actor: u64, other: u64, moment: &mut Moment<'_>) -> Act {
        let tie = Tie::Follow(actor, other);
        if self.ties.contains(&tie) && self.chance(75) {
            return self.like(actor, other, moment);
        }
        Act::new(self.tie(tie, What::Follow, What::Unfollow), actor, other)
    }

    fn turn_away(&mut self, actor: u64, other: u64) -> Act {
        let what = if self.chance(50) {
            self.tie(Tie::Block(actor, other), What::Block, What::Unblock)
        } else {
            self.tie(Tie::Mute(actor, other), What::Mute, What::Unmute)
        };
        Act::new(what, actor, other)
    }

    /// Begins what is not, and ends what is.
    fn tie(&mut self, tie: Tie, begin: What, end: What) -> What {
        if self.ties.remove(&tie) {
            return end;
        }
        if self.ties.len() >= TIES {
            self.ties.pop_first();
        }
        self.ties.insert(tie);
        begin
    }

    /// A conversation goes on: somebody reads, types or writes.
    fn talk(&mut self, actor: u64, other: u64, moment: &mut Moment<'_>) -> Act {
        let pair = (actor.min(other), actor.max(other));
        let at = self.talks.iter().position(|talk| talk.pair == pair).unwrap_or_else(|| {
            if self.talks.len() >= TALKS {
                self.talks.pop_front();
            }
            self.talks.push_back(Talk { pair, last: None, read: true });
            self.talks.len() - 1
        });
        let (how, again) = (self.below(100), self.chance(30));
        let text = self.pick(words::MESSAGES);
        let Some(talk) = self.talks.get_mut(at) else {
            return self.post(actor, moment);
        };
        // Whoever did not speak last is next, unless somebody has more to say.
        let (actor, other) = match talk.last {
            Some(last) if last.by == actor && !again => (other, actor),
            _ => (actor, other),
        };
        match talk.last {
            Some(last) if last.by == other && !talk.read && how < 35 => {
                talk.read = true;
                let read = Seen { id: last.id, text: String::new(), at: moment.now };
                Act::new(What::Read, actor, other).about(read)
            }
            Some(_) if how >= 85 => Act::new(What::Type, actor, other),
            _ => {
                let id = (moment.mint)();
                talk.last = Some(Said { by: actor, id });
                talk.read = false;
                Act::new(What::Write, actor, other).saying(id, text.to_owned())
            }
        }
    }

    /// `author` deletes one of their posts, if there is one.
    fn delete(&mut self, author: u64, moment: &mut Moment<'_>) -> Act {
        let found = self.posts.iter().position(|post| post.author == author);
        match found.and_then(|at| self.posts.remove(at)) {
            Some(post) => Act::new(What::Delete, author, 0).saying(post.id, String::new()),
            None => self.post(author, moment),
        }
    }

    /// Finds a post of `author` that fits. Who is not subscribed may have written one unseen.
    fn post_of(
        &mut self,
        author: u64,
        fits: impl Fn(&Post) -> bool,
        moment: &mut Moment<'_>,
    ) -> Option<usize> {
        let all = self.posts.len();
        let start = usize::try_from(self.below(u64::try_from(all).unwrap_or(0))).unwrap_or(0);
        let mut places = (0..all).map(|n| (start + n) % all);
        let is_good = |at: &usize| {
            self.posts.get(*at).is_some_and(|post| post.author == author && fits(post))
        };
        let found = places.find(is_good);
        if found.is_none() && !(moment.is_subscribed)(author) {
            let text = self.pick(words::POSTS).to_owned();
            self.remember(author, text, moment);
            return Some(self.posts.len() - 1);
        }
        found
    }

    /// Notes a new post, and returns its id.
    fn remember(&mut self, author: u64, text: String, moment: &mut Moment<'_>) -> u64 {
        if self.posts.len() >= POSTS {
            self.posts.pop_front();
        }
        let id = (moment.mint)();
        self.posts.push_back(Post { id, author, text, at: moment.now, liked_by: Vec::new() });
        id
    }

    fn somebody_but(&mut self, user: u64) -> u64 {
        if user > self.users {
            return 1 + self.below(self.users);
        }
        // One of all the others, each as likely.
        let drawn = 1 + self.below(self.users - 1);
        if drawn < user { drawn } else { drawn + 1 }
    }

    fn pick(&mut self, of: &'static [&'static str]) -> &'static str {
        let at = self.below(u64::try_from(of.len()).unwrap_or(0));
        usize::try_from(at).ok().and_then(|at| of.get(at)).copied().unwrap_or_default()
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random.next() % limit.max(1)
    }
}

impl Post {
    fn seen(&self) -> Seen {
        Seen { id: self.id, text: self.text.clone(), at: self.at }
    }
}

#[cfg(test)]
mod tests;
