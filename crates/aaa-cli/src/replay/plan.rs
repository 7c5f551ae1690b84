//! `aaa replay plan`.

use aaa_replay::plan::{LostReason, Plan};
use aaa_types::ReplayWindow;

use super::{
    picture::{self, Now, Picture},
    timeline,
    x::X,
};
use crate::{
    cli::{ApiArgs, PlanArgs},
    credentials::Credentials,
    exit::Failure,
    output,
    table::Table,
};

pub(super) async fn run(
    args: PlanArgs,
    api: ApiArgs,
    credentials: &Credentials,
) -> Result<(), Failure> {
    let store = picture::open(&args.of.store)?;
    let picture = picture::read(&store).await?;
    let x = X::guess(&args.of, api, credentials, args.offline, &picture).await?;
    let now = x.now();
    let plan = picture.plan(x.webhook, x.settings, now);
    if api.json {
        return output::json(&plan);
    }
    for line in timeline::draw(&picture, &plan, x.webhook.id, x.settings.limits.look_back, now) {
        output::line(line)?;
    }
    output::line("")?;
    print(&plan)?;
    tell_of_receiver(&picture, now);
    Ok(())
}

/// Prints a plan as a table.
pub(super) fn print(plan: &Plan) -> Result<(), Failure> {
    let mut table = Table::new(["WHAT", "FROM", "TO", "MINUTES", "WHEN, WHY"]);
    for window in &plan.now {
        table.row(row("now", window.core, "X replays it now".to_owned()));
    }
    for later in &plan.later {
        table.row(row("later", later.window.core, format!("from {:.0} on", later.at)));
    }
    for lost in &plan.lost {
        let what = if lost.reason.is_certain() { "lost" } else { "perhaps lost" };
        let minutes = lost.to.duration_since(lost.from).as_mins();
        table.row([
            what.to_owned(),
            format!("{:.0}", lost.from),
            format!("{:.0}", lost.to),
            minutes.to_string(),
            words(lost.reason),
        ]);
    }
    if table.is_empty() {
        output::line("nothing is missing")?;
    }
    table.print()
}

fn words(reason: LostReason) -> String {
    reason.to_string()
}

fn row(what: &str, core: ReplayWindow, when: String) -> [String; 5] {
    [
        what.to_owned(),
        format!("{:.0}", core.from_date().start()),
        format!("{:.0}", core.to_date().start()),
        core.minutes().to_string(),
        when,
    ]
}

/// Says when nobody receives.
pub(super) fn tell_of_receiver(picture: &Picture, now: Now) {
    match picture.last() {
        None => output::note("nothing was ever received into this store"),
        Some(last) if !picture.is_received(now) => output::note(format_args!(
            "nobody receives since {:.0}: what is sent now is missing too, until `aaa listen` runs",
            last.x_time()
        )),
        Some(_) => {}
    }
}
