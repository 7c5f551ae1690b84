//! The emulator over real HTTP, with a real receiver.

#[cfg(test)]
mod access;
#[cfg(test)]
mod control;
#[cfg(test)]
mod deliveries;
#[cfg(test)]
mod enterprise;
#[cfg(test)]
mod guide;
#[cfg(test)]
mod messages;
mod page;
#[cfg(test)]
mod replays;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod support;
#[cfg(test)]
mod webhooks;
