//! Sends stored deliveries once more.

use aaa_dashboard::{ActionFuture, Resend};
use aaa_types::ConsumerSecret;
use aaa_webhook::consumer::StoredDelivery;

use crate::forward::{ForwardUrl, Forwarder, told};

/// Posts to where somebody asks for, as forwarding does.
pub(crate) struct Again {
    usual: Option<ForwardUrl>,
    secret: Option<ConsumerSecret>,
}

impl Again {
    pub(crate) fn new(usual: Option<ForwardUrl>, secret: Option<ConsumerSecret>) -> Self {
        Self { usual, secret }
    }
}

impl Resend for Again {
    fn resend(&self, delivery: StoredDelivery, to: Option<String>) -> ActionFuture<'_> {
        Box::pin(async move {
            let to = match (to, &self.usual) {
                (Some(to), _) => to.parse::<ForwardUrl>()?,
                (None, Some(usual)) => usual.clone(),
                (None, None) => return Err("nobody has said where to send it".to_owned()),
            };
            let shown = to.to_string();
            let forwarder = Forwarder::new(to, self.secret.clone());
            let forwarder = forwarder.map_err(|failure| failure.to_string())?;
            let answer = forwarder.post(&delivery).await;
            let answer =
                answer.map_err(|error| format!("could not send it to {shown}: {error}"))?;
            let words = format!("{shown} answered {}", told(answer.status()));
            if answer.status().is_success() { Ok(format!("sent; {words}")) } else { Err(words) }
        })
    }

    fn usual(&self) -> Option<String> {
        self.usual.as_ref().map(ForwardUrl::to_string)
    }
}
