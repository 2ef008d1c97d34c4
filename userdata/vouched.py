"""How a machine of Compute Engine is known to both clouds, and one of EC2 to Google: its own cloud says who it is.

Beside bucket.py, which hands over how it asks and signs.
"""

import json
import re
import urllib.parse

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
KINDS = "urn:ietf:params:"


def account(ask, metadata, what):
    """What the metadata server gives the machine's service account."""
    url = f"{metadata}/computeMetadata/v1/instance/service-accounts/default/{what}"
    return ask(url, direct=True, **{"Metadata-Flavor": "Google"})


def own_token(ask, metadata):
    """Compute Engine: the account's own access token."""
    return json.loads(account(ask, metadata, "token"))["access_token"]


def keys(env, ask, metadata):
    """Compute Engine: keys of the role of AWS that trusts the machine's account."""
    role = env["FLEET_AWS_ROLE"]
    words = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": role,
        "RoleSessionName": "fleet-machine",
        "WebIdentityToken": account(ask, metadata, "identity?format=full&audience=" + urllib.parse.quote(role, safe="")),
    }
    url = env.get("AWS_ENDPOINT_URL_STS") or env.get("AWS_ENDPOINT_URL")
    url = url or f"https://sts.{env.get('FLEET_BUCKET_REGION') or 'us-east-1'}.amazonaws.com/"
    answer = ask(url, urllib.parse.urlencode(words).encode())
    names = {"AccessKeyId": "AccessKeyId", "SecretAccessKey": "SecretAccessKey", "SessionToken": "Token"}
    found = {ours: re.search(f"<{its}>([^<]+)<", answer) for its, ours in names.items()}
    if not all(found.values()):
        raise OSError(f"{url} gives no keys of {role}")
    return {name: value.group(1) for name, value in found.items()}


def token(env, ask, sign):
    """EC2: an access token of Google's account that trusts the machine's role."""
    provider = "//iam.googleapis.com/" + env["FLEET_GOOGLE_PROVIDER"]
    region = env.get("AWS_REGION") or "us-east-1"
    host, query = f"sts.{region}.amazonaws.com", "Action=GetCallerIdentity&Version=2011-06-15"
    headers = sign(host, query, {"x-goog-cloud-target-resource": provider}, region)
    said = [{"key": name, "value": value} for name, value in headers.items()]
    question = json.dumps({"url": f"https://{host}/?{query}", "method": "POST", "headers": said})
    words = {
        "grantType": KINDS + "oauth:grant-type:token-exchange",
        "audience": provider,
        "scope": SCOPE,
        "requestedTokenType": KINDS + "oauth:token-type:access_token",
        "subjectTokenType": KINDS + "aws:token-type:aws4_request",
        "subjectToken": urllib.parse.quote(question, safe=""),
    }
    known = google(env, ask, "sts", "/v1/token", words)["access_token"]
    path = f"/v1/projects/-/serviceAccounts/{env['FLEET_GOOGLE_ACCOUNT']}:generateAccessToken"
    return google(env, ask, "iamcredentials", path, {"scope": [SCOPE]}, authorization=f"Bearer {known}")["accessToken"]


def google(env, ask, api, path, words, **headers):
    """What one of Google's interfaces answers."""
    base = env.get(f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api.upper()}") or f"https://{api}.googleapis.com"
    sent = {"content-type": "application/json", **headers}
    return json.loads(ask(base.rstrip("/") + path, json.dumps(words).encode(), **sent))
