//! X's ways to write a time, and the windows of a replay.

mod format;
mod minute;
mod window;

pub use self::{
    format::{parse_created_at, parse_epoch_millis, snowflake_time},
    minute::{MinuteError, UtcMinute},
    window::{ReplayWindow, WindowError},
};
