//! `aaa auth`: gets tokens, and tells which credentials are there.

mod bearer;
mod landing;
mod login;
mod whoami;

use crate::{
    cli::{AuthArgs, AuthCommand},
    credentials::Credentials,
    exit::Failure,
};

pub(crate) async fn run(args: AuthArgs, credentials: &Credentials) -> Result<(), Failure> {
    match args.command {
        AuthCommand::Login(args) => login::run(args, credentials).await,
        AuthCommand::Bearer(args) => bearer::run(args, credentials).await,
        AuthCommand::Whoami(args) => whoami::run(args, credentials).await,
    }
}
