//! Deliveries as X writes them: no white space, `/` and everything beyond ASCII escaped.

/// A post with its author, entities and a picture, 2.4 kB.
pub const POST: &[u8] = include_bytes!("../fixtures/post.json");

/// A like of that post.
pub const FAVORITE: &[u8] = include_bytes!("../fixtures/favorite.json");

/// A direct message with the users and the app beside it.
pub const MESSAGE: &[u8] = include_bytes!("../fixtures/message.json");
