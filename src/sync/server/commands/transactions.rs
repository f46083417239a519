//! Commands that are run together, if what was watched has not changed.

use super::{Answered, Call, Refusal, check_store, find, refuse};

pub fn multi(call: &mut Call) -> Answered {
    if call.client.queued.is_some() {
        return Err(Refusal::Other("MULTI calls can not be nested".into()));
    }
    call.client.queued = Some(Default::default());
    call.reply().ok();
    Ok(())
}

pub fn exec(call: &mut Call) -> Answered {
    let Some(queued) = call.client.queued.take() else {
        return Err(Refusal::Other("EXEC without MULTI".into()));
    };
    let watched = forget(call);
    if queued.spoilt {
        call.reply().error(format_args!("EXECABORT Transaction discarded because of previous errors."));
        return Ok(());
    }
    if watched == Watched::Changed {
        call.reply().null_array();
        return Ok(());
    }
    call.reply().array(queued.len());
    for request in queued.requests() {
        let Some(command) = find(request.argument(0)) else { continue };
        let mut call = Call { world: call.world, client: call.client, request: &request, within: true };
        // What came before it may have filled the store.
        if let Err(refusal) = check_store(&call, command).and_then(|()| (command.run)(&mut call)) {
            refuse(&mut call, refusal);
        }
    }
    Ok(())
}

pub fn discard(call: &mut Call) -> Answered {
    if call.client.queued.take().is_none() {
        return Err(Refusal::Other("DISCARD without MULTI".into()));
    }
    forget(call);
    call.reply().ok();
    Ok(())
}

pub fn watch(call: &mut Call) -> Answered {
    if call.client.queued.is_some() {
        return Err(Refusal::Other("WATCH inside MULTI is not allowed".into()));
    }
    if call.client.watched.len() + call.request.len() > call.world.limits.names {
        return Err(Refusal::Other("too many watched keys".into()));
    }
    for key in call.request.arguments(1) {
        if !call.client.watched.iter().any(|(known, _)| **known == *key) {
            let watched = call.world.store.watch(key);
            call.client.watched.push(watched);
        }
    }
    call.reply().ok();
    Ok(())
}

pub fn unwatch(call: &mut Call) -> Answered {
    forget(call);
    call.reply().ok();
    Ok(())
}

#[derive(PartialEq, Eq)]
pub enum Watched {
    Same,
    Changed,
}

/// What has become of the watched keys, which are watched no longer.
pub fn forget(call: &mut Call) -> Watched {
    let mut seen = Watched::Same;
    for (key, changes) in std::mem::take(&mut call.client.watched) {
        if call.world.store.changes(&key) != changes {
            seen = Watched::Changed;
        }
        call.world.store.unwatch(&key);
    }
    seen
}
