# Who may call a function of a module, by the identity block of the module's contract.
#
# input.subject, tier, tier_num, scopes, action, env, token   what somebody asks for
# input.contract                                              the contract of the module

package matriz.authz

import rego.v1

default allow := false

# Names and numbers of the tiers, from nobody in particular to everything.
tiers := {
	"guest": 0,
	"visitor": 1,
	"friend": 2,
	"trusted": 3,
	"inner_circle": 4,
	"root_dev": 5,
}

identity := input.contract.identity

# `bill(call: str) -> Invoice` is a call of bill.
action := split(input.action, "(")[0]

allow if {
	identity.requires_auth == false
	tier_admitted
}

allow if {
	subject_accepted
	tier_admitted
	scopes_granted
	webauthn_done
	step_up_done
	token_accepted
}

subject_accepted if input.subject in identity.accepted_subjects

# "harbour:user:*" takes every user and no service.
subject_accepted if {
	some pattern in identity.accepted_subjects
	endswith(pattern, ":*")
	startswith(input.subject, trim_suffix(pattern, "*"))
}

# `tiers` is an object: `input.tier in tiers` would look for the tier among the numbers.
tier_admitted if {
	input.tier in identity.required_tiers
	tiers[input.tier] == input.tier_num
}

scopes_granted if {
	every scope in identity.scopes {
		scope in input.scopes
	}
}

webauthn_done if not identity.webauthn_required

webauthn_done if input.env.webauthn_verified == true

# A function that wants a second factor says so in api_policies.
step_up_wanted if {
	some row in identity.api_policies
	row.fn == action
	row.requires_step_up == true
}

step_up_done if not step_up_wanted

step_up_done if input.env.mfa == true

# A session without a token is the caller's business; a token has to be good.
token_accepted if not input.token

token_accepted if {
	input.token.exp * 1000000000 > time.now_ns()
	input.token.aud == data.matriz.audience
}
