//! What an emulator can be told before it starts.
//!
//! Where X's documents contradict each other, both readings are here, and the default is that of
//! the v2 guide.

mod generation;
mod judge;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::{generation::Generation, judge::SettingsError};

/// How the emulator behaves; [`Settings::default`] is X as its guides describe it.
///
/// # Examples
///
/// ```
/// use aaa_emulator::settings::{Quota, Settings};
///
/// let settings = Settings { quota: Quota::PAY_PER_USE, ..Settings::default() };
/// assert_eq!(settings.quota.webhooks, 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where ids and challenge tokens get their low bits from.
    pub seed: u64,
    /// Which webhook URLs are taken.
    pub urls: UrlRule,
    /// How the emulator's clock goes.
    pub time: TimeMode,
    /// When the emulator's clock begins; the real time, if none. Ids carry their time, so runs
    /// are equal only if they begin at the same one, and it is from [`Settings::EARLIEST`] to
    /// [`Settings::LATEST`].
    pub start: Option<Timestamp>,
    /// Which clock an `oauth_timestamp` may agree with.
    pub oauth_time: OauthTime,
    /// How many webhooks and subscriptions there may be.
    pub quota: Quota,
    /// What the app may do.
    pub access: AppAccess,
    /// How long a webhook may take to answer a challenge or a delivery, in real time; if none,
    /// [`Generation::deadline`].
    pub deadline: Option<SignedDuration>,
    /// How far back a replay can reach; if none, [`Generation::look_back`].
    pub look_back: Option<SignedDuration>,
    /// When a failed live delivery is sent again, counted from the failure; if none,
    /// [`Generation::retries`].
    pub retries: Option<Vec<SignedDuration>>,
    /// How many deliveries of each sort, live and replayed, are under way at once per webhook.
    pub concurrency: usize,
    /// How many events a replay job sends per second; without effect while time stands still.
    pub replay_rate: u32,
    /// When webhooks are checked without being asked.
    pub checks: CheckSchedule,
    /// How long a webhook stays valid while its checks fail in a way that may pass.
    pub check_grace: SignedDuration,
    /// What the challenge of v2 looks like; that of v1.1 is [`Challenge::Signed`].
    pub challenge: Challenge,
    /// Which content type the answer to a challenge must have.
    pub challenge_type: ChallengeType,
    /// What makes an invalid webhook valid again.
    pub revival: Revival,
    /// What becomes of events while their webhook is invalid.
    pub while_invalid: WhileInvalid,
    /// Whether `to_date` belongs to a replay's window.
    pub window_end: WindowEnd,
    /// Whom unfollows, blocks and mutes are delivered for; if none, [`Generation::relations`].
    pub relations: Option<Relations>,
    /// How a delivery says whether a user has blocked the author of a post.
    pub blocked_flag: BlockedFlag,
    /// Which headers a delivery has, besides its type and signature.
    pub delivery_headers: DeliveryHeaders,
    /// How v2's answer to a registration is wrapped.
    pub registration_answer: Envelope,
    /// What v2's answer to a requested check says.
    pub validation_answer: ValidationAnswer,
    /// How v2's answer to a replay is wrapped.
    pub replay_answer: ReplayAnswer,
    /// Which of what reached a webhook a replay brings back.
    pub replay_scope: ReplayScope,
    /// Where v2 puts the name of a failure.
    pub refusal_form: RefusalForm,
    /// The status of v1.1's code 214.
    pub url_refusal: UrlRefusal,
    /// Who may invalidate the app's bearer token.
    pub invalidation: Invalidation,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            urls: UrlRule::LoopbackToo,
            time: TimeMode::Running,
            start: None,
            oauth_time: OauthTime::EitherClock,
            quota: Quota::ENTERPRISE,
            access: AppAccess::Full,
            deadline: None,
            look_back: None,
            retries: None,
            concurrency: 64,
            replay_rate: 2500,
            checks: CheckSchedule::HOURLY,
            check_grace: SignedDuration::from_hours(28),
            challenge: Challenge::Plain,
            challenge_type: ChallengeType::Any,
            revival: Revival::OnRequest,
            while_invalid: WhileInvalid::Lost,
            window_end: WindowEnd::Exclusive,
            relations: None,
            blocked_flag: BlockedFlag::Bool,
            delivery_headers: DeliveryHeaders::Plain,
            registration_answer: Envelope::Data,
            validation_answer: ValidationAnswer::Valid,
            replay_answer: ReplayAnswer::OfRoute,
            replay_scope: ReplayScope::OfRoute,
            refusal_form: RefusalForm::Message,
            url_refusal: UrlRefusal::Forbidden,
            invalidation: Invalidation::Either,
        }
    }
}

impl Settings {
    pub(crate) fn deadline_of(&self, generation: Generation) -> SignedDuration {
        self.deadline.unwrap_or(generation.deadline())
    }

    pub(crate) fn look_back_of(&self, generation: Generation) -> SignedDuration {
        self.look_back.unwrap_or(generation.look_back())
    }

    pub(crate) fn retries_of(&self, generation: Generation) -> &[SignedDuration] {
        self.retries.as_deref().unwrap_or(generation.retries())
    }

    pub(crate) fn relations_of(&self, generation: Generation) -> Relations {
        self.relations.unwrap_or(generation.relations())
    }

    pub(crate) fn challenge_of(&self, generation: Generation) -> Challenge {
        match generation {
            Generation::V2 => self.challenge,
            Generation::V1_1 => Challenge::Signed,
        }
    }
}

/// Which webhook URLs are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UrlRule {
    /// X's rules, and `http` with any port on loopback.
    LoopbackToo,
    /// X's rules: `https`, no port.
    Strict,
}

/// How the emulator's clock goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeMode {
    /// With real time, from wherever it was advanced to.
    Running,
    /// Only when it is advanced.
    Virtual,
}

/// Which clock an `oauth_timestamp` may agree with, to within five minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OauthTime {
    /// The emulator's or the real one: clients know only the latter.
    EitherClock,
    /// The emulator's.
    Strict,
}

/// How many webhooks and subscriptions there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Webhooks.
    pub webhooks: usize,
    /// Subscriptions, over all webhooks.
    pub subscriptions: usize,
}

impl Quota {
    /// Five webhooks and 5,000 subscriptions.
    pub const ENTERPRISE: Self = Self { webhooks: 5, subscriptions: 5000 };

    /// One webhook and three subscriptions.
    pub const PAY_PER_USE: Self = Self { webhooks: 1, subscriptions: 3 };
}

/// What X lets the app do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppAccess {
    /// Everything.
    Full,
    /// Users gave permission to read only: what changes something in their name is refused.
    ReadOnly,
    /// Everything but replays.
    WithoutReplay,
    /// Nothing: the product was never enabled for the app.
    NotEnrolled,
}

/// When webhooks are checked without being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckSchedule {
    /// The time from one check to the next.
    pub period: SignedDuration,
    /// A check is left out until this much time has passed since the last success.
    pub after: SignedDuration,
}

impl CheckSchedule {
    /// Every hour.
    pub const HOURLY: Self =
        Self { period: SignedDuration::from_hours(1), after: SignedDuration::ZERO };

    /// Every half hour, once a day has passed without a success.
    pub const HALF_HOURLY_AFTER_A_DAY: Self =
        Self { period: SignedDuration::from_mins(30), after: SignedDuration::from_hours(24) };

    /// Every day, as a page of v1.1 has it.
    pub const DAILY: Self =
        Self { period: SignedDuration::from_hours(24), after: SignedDuration::ZERO };
}

/// Which content type the answer to a challenge must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChallengeType {
    /// Any, or none.
    Any,
    /// `application/json`, which the documents ask for; whether X looks is not known.
    Json,
}

/// What the challenge looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Challenge {
    /// `?crc_token=T`, unsigned.
    Plain,
    /// `?crc_token=T&nonce=N`, and signed when somebody asked for the check: registration, `PUT`,
    /// replay.
    Signed,
}

/// What makes an invalid webhook valid again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Revival {
    /// A check that was asked for (`PUT`).
    OnRequest,
    /// That, or a scheduled check.
    OnAnyCheck,
}

/// What becomes of events while their webhook is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhileInvalid {
    /// They are not attempted, so no replay has them.
    Lost,
    /// They are not attempted, but a replay has them.
    Replayable,
}

/// Whether `to_date` belongs to a replay's window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowEnd {
    /// It does not (the guide).
    Exclusive,
    /// It does (the text of OpenAPI 2.167).
    Inclusive,
}

/// Whom unfollows, blocks and mutes are delivered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relations {
    /// Who acts and who is acted upon (v2).
    ByUserOrOfUser,
    /// Only who acts (v1.1).
    ByUser,
}

/// How a delivery says whether a user has blocked the author of a post: `user_has_blocked`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockedFlag {
    /// `false` (captures).
    Bool,
    /// `"false"` (X's pages).
    Text,
}

/// Which headers a delivery has, besides its type and signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryHeaders {
    /// None.
    Plain,
    /// Those that were seen in 2019: deadline, retries and trace ids of X's own machinery.
    Finagle,
}

/// How an answer is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Envelope {
    /// In `data`.
    Data,
    /// Not at all.
    Flat,
}

/// What the answer to a requested check says. A check that failed counts at the webhook whatever is
/// answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValidationAnswer {
    /// `{"data":{"valid":true}}`; a check that failed is refused.
    Valid,
    /// `{"data":{"attempted":true}}` (OpenAPI 2.159); a check that failed is refused.
    Attempted,
    /// `{"data":{"valid":true}}` when a check was made, however it ended (the schema of OpenAPI
    /// 2.167).
    Triggered,
    /// `{"data":{"valid":…}}`, which is whether the webhook is valid after the check.
    State,
}

/// How the answer to a replay is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayAnswer {
    /// As the documents of each route have it: `for_user_id` and `replay_event` for the
    /// deprecated one, `data` for `/2/webhooks/replay`.
    OfRoute,
    /// `{"for_user_id","replay_event":{…}}` on both routes.
    ReplayEvent,
    /// `{"data":{…}}` on both routes.
    Data,
    /// Flat on both routes.
    Flat,
}

/// Which of what reached a webhook a replay brings back: events of the X Activity API and posts of
/// filtered streams come to the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayScope {
    /// `/2/webhooks/replay` everything, the routes under `account_activity` only what is of the
    /// Account Activity API.
    OfRoute,
    /// Everything on all routes.
    Everything,
    /// Only what is of the Account Activity API on all routes.
    AccountActivity,
}

/// Where v2 puts the name of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalForm {
    /// Before the colon in `errors[0].message`, with status 400, as was seen.
    Message,
    /// In `errors[0].title`, as some clients expect it.
    Title,
    /// As [`Message`](Self::Message), but what is there already, or under way, is a 409.
    Conflict,
}

/// The status of v1.1's code 214.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UrlRefusal {
    /// 403 (the documents).
    Forbidden,
    /// 400, as was seen.
    BadRequest,
}

/// Who may invalidate the app's bearer token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Invalidation {
    /// Key and secret of the app, or the signature of its owner.
    Either,
    /// Only key and secret, as a Basic authorization.
    Basic,
    /// Only the signature of the owner.
    Owner,
}
