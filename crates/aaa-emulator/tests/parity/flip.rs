//! The other side of each setting.

use aaa_emulator::settings::{
    AppAccess, BlockedFlag, Challenge, ChallengeType, CheckSchedule, DeliveryHeaders, Envelope,
    Invalidation, OauthTime, Quota, RefusalForm, Relations, ReplayAnswer, ReplayScope, Revival,
    Settings, TimeMode, UrlRefusal, UrlRule, ValidationAnswer, WhileInvalid, WindowEnd,
};
use jiff::SignedDuration;

/// Turns the setting that the environment names, if it names one.
pub(crate) fn flipped(mut settings: Settings) -> Settings {
    let Ok(name) = std::env::var("AAA_PARITY_FLIP") else {
        return settings;
    };
    let seconds = SignedDuration::from_secs;
    match name.as_str() {
        "seed" => settings.seed = 1,
        "urls" => settings.urls = UrlRule::Strict,
        "time" => {
            settings.time = match settings.time {
                TimeMode::Running => TimeMode::Virtual,
                TimeMode::Virtual => TimeMode::Running,
            }
        }
        "start" => settings.start = None,
        "oauth_time" => settings.oauth_time = OauthTime::Strict,
        "quota" => settings.quota = Quota::PAY_PER_USE,
        "access" => settings.access = AppAccess::ReadOnly,
        "deadline" => settings.deadline = Some(seconds(1)),
        "look_back" => settings.look_back = Some(SignedDuration::from_hours(5 * 24)),
        "retries" => settings.retries = Some(vec![seconds(3)]),
        "concurrency" => settings.concurrency = 1,
        "replay_rate" => settings.replay_rate = 100,
        "checks" => settings.checks = CheckSchedule::HALF_HOURLY_AFTER_A_DAY,
        "check_grace" => settings.check_grace = SignedDuration::from_hours(4),
        "challenge" => settings.challenge = Challenge::Signed,
        "challenge_type" => settings.challenge_type = ChallengeType::Json,
        "revival" => settings.revival = Revival::OnAnyCheck,
        "while_invalid" => settings.while_invalid = WhileInvalid::Replayable,
        "window_end" => settings.window_end = WindowEnd::Inclusive,
        "relations" => settings.relations = Some(Relations::ByUser),
        "blocked_flag" => settings.blocked_flag = BlockedFlag::Text,
        "delivery_headers" => settings.delivery_headers = DeliveryHeaders::Finagle,
        "registration_answer" => settings.registration_answer = Envelope::Flat,
        "validation_answer" => settings.validation_answer = ValidationAnswer::Attempted,
        "replay_answer" => settings.replay_answer = ReplayAnswer::Flat,
        "replay_scope" => settings.replay_scope = ReplayScope::Everything,
        "refusal_form" => settings.refusal_form = RefusalForm::Title,
        "url_refusal" => settings.url_refusal = UrlRefusal::BadRequest,
        "invalidation" => settings.invalidation = Invalidation::Basic,
        other => panic!("there is no setting `{other}`"),
    }
    settings
}
