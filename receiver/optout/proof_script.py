"""What a proof says of how to check it: in words, and as a script that needs Python's standard library alone."""

ANSWER = {
    "zh": "网关收到的回答“0”只在本次事务提交（短信、退订、取消的业务和账本事件一并落盘）之后才发出；"
    "received_at 是短信到达的时间，"
    "回答的时刻在其后，不单独记录。主动拉取（poll）的短信没有回答。",
    "en": "The gateway's answer 0 is given only after the transaction has been committed that holds the SMS, the opt-"
    "out, the cancelled services and the ledger's events. received_at is when the SMS arrived; the answer came "
    "after that, at a moment that is not recorded. An SMS that was pulled (poll) is answered by nothing.",
}

ZH = (
    "每个事件的摘要 = SHA-256(事件的规范 JSON：键按字母排序、无空白、非 ASCII 字符转义)。"
    "事件的哈希 = SHA-256(前一事件的哈希 + 跳跃事件的哈希 + 摘要)，三者为十六进制文本直接相连；"
    "跳跃事件的编号 = 本编号的二进制最低位 1 清零；第一个事件之前是 64 个 0。"
    "start 是从账本开头到本号码第一个事件的路径，每个事件的 path 通向本号码的下一个事件，最后一个通向账本末端 head。"
    "路径的每一步给出 sequence、digest，以及 other：若该步由跳跃到达，other 是前一事件的哈希，否则是跳跃事件的哈希。"
    "其他人的事件只以摘要出现。message_id 或 detail.quarantine_id 指向 causes 中的原始短信，"
    "其原始字节的 SHA-256 必须等于事件的 raw_sha256。fingerprint 是除它自身以外整个文件的规范 JSON 的 SHA-256。"
    "将下面的 script 保存为 check.py，运行：python3 check.py 证明.json [另行保存的 head，写作“哈希”或“编号:哈希”]；"
    "退出码 0 表示无误，1 表示有误。"
    "state 的每一项都必须等于当前生效的 opted_out 事件"
    "（since 即其 at，source、reason 在其 detail 中），未退订时全部为 null。"
    "head.sequence 只是路径所写的编号，没有哈希约束它：须与另行保存的编号比对，"
    "或以“编号:哈希”的形式给出。"
    "哈希证明所示事件确在账本中且未被改动；账本末端须与另行保存的 head 比对，"
    "是否另有该号码的事件未列出，须在数据库上运行 receiver optouts verify 与 receiver optouts proof 查验。"
)

EN = (
    "An event's digest is SHA-256 of its canonical JSON: keys sorted, no white space, non-ASCII escaped. Its hash"
    " is SHA-256 of three hexadecimal texts joined: the hash of the event before it, the hash of the event that "
    "it skips back to, its digest. The event skipped to has the event's number with its lowest binary one "
    "cleared; before the first event stand 64 zeros. start is the path from the ledger's beginning to the phone's"
    " first event; each event's path leads to the phone's next event, the last one's to the ledger's head. A step"
    " gives sequence, digest and other: the hash of the event before where the step is reached by a skip, else "
    "that of the event skipped to. Other people's events appear as digests only. message_id or "
    "detail.quarantine_id names the SMS in causes; the SHA-256 of its raw bytes must be the event's raw_sha256. "
    "fingerprint is SHA-256 of the canonical JSON of all else in this document. Save script as check.py and run: "
    "python3 check.py PROOF.json [the head that was kept outside: HASH or SEQUENCE:HASH]; exit status 0 is right, "
    "1 is wrong. The hashes prove that the events shown are in the ledger, unchanged. Hold the head against one that "
    "was kept outside. That no event of this phone was left out takes the database: receiver optouts verify and "
    "receiver optouts proof. "
    "state must equal, in every member, the opted_out event in force (since is its at; source and reason are in its "
    "detail), and is all null where there is none. head.sequence is only what the path says, and no hash holds it: "
    "compare it with the number that was kept outside with the hash, or give both as SEQUENCE:HASH."
)

SCRIPT = """\
import base64, hashlib, json, sys

def sha(data):
    return hashlib.sha256(data).hexdigest()

def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()

def chained(previous, skipped, digest):
    must(len(previous) == len(skipped) == len(digest) == 64, "a hash has 64 digits")
    return sha((previous + skipped + digest).encode())

def must(truth, what):
    if not truth:
        sys.exit("WRONG / 有误: " + what)  # exit status 1

def once(pairs):
    must(len(dict(pairs)) == len(pairs), "something is said twice")
    return dict(pairs)

def follow(at, standing, steps):
    for step in steps:
        n, digest, other = step["sequence"], step["digest"], step["other"]
        if n & (n - 1) == at:
            standing = chained(other, standing, digest)
        else:
            must(n - 1 == at, "event %s does not stand on event %s" % (n, at))
            standing = chained(standing, other, digest)
        at = n
    return at, standing

proof = json.load(open(sys.argv[1], encoding="utf-8"), object_pairs_hook=once)
must((proof["format"], proof["version"]) == ("receiver-optout-proof", 1), "format")
said = {name: value for name, value in proof.items() if name != "fingerprint"}
must(sha(canonical(said)) == proof["fingerprint"], "fingerprint")
for name, cause in proof["causes"].items():
    if cause["purged"]:
        print("NOTE / 注意:", name, "is not in this proof: only the SHA-256 of its raw bytes / 原文不在本证明中")
    else:
        must(sha(base64.b64decode(cause["raw_base64"])) == cause["raw_sha256"], "raw bytes of " + name)
place, stop, named = follow(0, "0" * 64, proof["start"]), None, set()
for entry in proof["events"]:
    event, digest = entry["event"], sha(canonical(entry["event"]))
    name = "event %s" % event["sequence"]
    must(event["phone"] == proof["phone"], name + " is of another phone")
    must(chained(entry["previous"], entry["skipped"], digest) == entry["hash"], name + " was changed")
    must(place == (event["sequence"], entry["hash"]), name + " is not where the path leads")
    cause = event["message_id"] or event["detail"].get("quarantine_id")
    if cause is not None:
        named.add(cause)
        cause = proof["causes"][cause]
        if event["raw_sha256"] is not None and not cause["purged"]:
            must(cause["raw_sha256"] == event["raw_sha256"], name + " has another message")
            must(cause["received_at"] == event["at"], name + " has another time of arrival")
    stop = {"opted_out": event, "lifted": None}.get(event["type"], stop)
    place = follow(event["sequence"], entry["hash"], entry["path"])
head = proof["head"]
must(proof["events"] and place == (head["sequence"], head["hash"]), "the path does not lead to the head")
must(set(proof["causes"]) == named, "a message that no event names")
state = dict.fromkeys(["since", "actor", "message_id", "source", "reason"])
if stop:
    detail = stop["detail"]
    state.update(since=stop["at"], actor=stop["actor"], message_id=stop["message_id"])
    state.update(source=detail.get("source"), reason=detail.get("reason"))
state["opted_out"] = stop is not None
must(canonical(proof["state"]) == canonical(state), "state is not what the events lead to")
pinned = sys.argv[2].strip().lower() if len(sys.argv) > 2 else head["hash"]
must(pinned in (head["hash"], "%s:%s" % (head["sequence"], head["hash"])), "the head is not the one given")
print("OK / 无误:", proof["phone"], len(proof["events"]), "events; head", head["sequence"], head["hash"])
"""

# What every proof says besides its facts.
TEXTS = {"answer": ANSWER, "how_to_check": {"zh": ZH, "en": EN, "script": SCRIPT}}
