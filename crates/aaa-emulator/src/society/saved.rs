//! What a society has to know to go on from later.

use jiff::Timestamp;

use super::{POSTS, Post, Said, Society, TALKS, TIES, Talk, Tie};
use crate::{
    control::{SavedPost, SavedTalk, SavedTie, SavedTraffic, Traffic},
    world::random::Random,
};

impl Society {
    /// Saves everything; who counts the acts adds their numbers.
    pub(crate) fn saved(&self, asked: Traffic, next: Timestamp) -> SavedTraffic {
        let posts = self.posts.iter().map(|post| SavedPost {
            id: post.id,
            author: post.author,
            text: post.text.clone(),
            at: post.at,
            liked_by: post.liked_by.clone(),
        });
        let talks = self.talks.iter().map(|talk| SavedTalk {
            pair: talk.pair,
            last: talk.last.map(|said| (said.by, said.id)),
            read: talk.read,
        });
        let ties = self.ties.iter().map(|tie| match *tie {
            Tie::Follow(one, other) => SavedTie::Follow(one, other),
            Tie::Block(one, other) => SavedTie::Block(one, other),
            Tie::Mute(one, other) => SavedTie::Mute(one, other),
        });
        SavedTraffic {
            asked,
            next,
            acts: 0,
            left_out: 0,
            random: self.random.state(),
            posts: posts.collect(),
            talks: talks.collect(),
            ties: ties.collect(),
        }
    }

    /// Takes up what was saved, as far as so much is remembered.
    pub(crate) fn restored(saved: SavedTraffic) -> Self {
        let posts = saved.posts.into_iter().map(|post| Post {
            id: post.id,
            author: post.author,
            text: post.text,
            at: post.at,
            liked_by: post.liked_by,
        });
        let talks = saved.talks.into_iter().map(|talk| Talk {
            pair: talk.pair,
            last: talk.last.map(|(by, id)| Said { by, id }),
            read: talk.read,
        });
        let ties = saved.ties.into_iter().map(|tie| match tie {
            SavedTie::Follow(one, other) => Tie::Follow(one, other),
            SavedTie::Block(one, other) => Tie::Block(one, other),
            SavedTie::Mute(one, other) => Tie::Mute(one, other),
        });
        Self {
            random: Random::new(saved.random),
            users: saved.asked.users.into(),
            posts: posts.take(POSTS).collect(),
            talks: talks.take(TALKS).collect(),
            ties: ties.take(TIES).collect(),
        }
    }
}
