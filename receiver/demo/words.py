"""What the invented enterprise sends, and what people write back."""

from dataclasses import dataclass

from receiver.gateway.simulator.wire import Encoding


@dataclass(frozen=True, slots=True)
class Service:
    """Something that people subscribe to. ``digits`` extend the enterprise's number; replies to that are filed here."""

    code: str
    name: str
    digits: str
    text: str
    answers: tuple[str, ...]
    answered: float
    """The share of people who answer a text of it."""
    stops: float
    """The share of them who say stop."""
    encoding: Encoding = Encoding.UTF_8
    """How its channel writes replies."""

    @property
    def number(self) -> str:
        return BASE + self.digits


BASE = "10690000"

CLINIC = Service(
    "clinic",
    "门诊预约",
    "1",
    "您预约的明日上午门诊已确认，请带身份证于8:30前取号。回复1确认，改期请回电，0000退订。",
    (
        "1", "1", "1", "确认", "好的，准时到", "收到，谢谢医生", "能改到周五上午吗？", "要空腹吗？", "1.", "Y",
        "请问停车方便吗", "我妈妈住院了，这次取消吧，谢谢", "已改约，谢谢", "可以带小孩一起来吗？",
        "需要带上次的检查报告吗",
        "收到，届时一定到，麻烦帮我留一下前面的号，我从外地过来，路上可能会堵车，如果晚到十分钟请不要作废，谢谢理解",
    ),
    answered=0.55,
    stops=0.02,
)  # fmt: skip
PARCEL = Service(
    "parcel",
    "取件通知",
    "2",
    "您的包裹已到小区驿站，请于今晚8点前领取，逾期将退回。0000退订。",
    (
        "收到", "好", "好的", "谢谢", "要", "麻烦放门口，谢谢", "明天再取", "取件码是多少？没收到", "不是我的快递",
        "放驿站就行",
        "晚上八点前有人吗？", "包裹破损了，怎么处理？", "TD", "什么", "家里没人，请放丰巢", "已取",
    ),
    answered=0.35,
    stops=0.04,
    encoding=Encoding.GB18030,
)  # fmt: skip
CLUB = Service(
    "club",
    "会员活动",
    "88",
    "会员日：周六下午两点咖啡品鉴，到店有礼，限40位。回复“想参加”报名，0000退订。",
    (
        "想参加", "想参加", "想参加，两位", "怎么报名？", "多少钱", "几点开始？", "已报名", "谢谢", "不感兴趣",
        "别再发了",
        "請問還有名額嗎", "OK, count me in 😀", "要！100% 要 (a&b)", "周六要加班，下次吧", "地址在哪里", "退订",
        "可以带朋友吗？", "Is there parking nearby?",
    ),
    answered=0.3,
    stops=0.16,
)  # fmt: skip
SERVICES = (CLINIC, PARCEL, CLUB)

UNASKED = (
    "你好，请问营业时间？", "电话一直占线，请回电", "周日上班吗", "发错了吧？我不认识你们", "？",
    "我换号了，以后请发新号码",
    "在吗", "发票什么时候能开", "谢谢你们，服务很好！", "请把我妈妈的号码也加上", "Hello, who is this?",
    "上次的问题还没解决",
    "收到", "好的",
)  # fmt: skip
# Of five stops three are plain; the others are what input methods make of it.
STOPS = ("0000", "0000", "0000", "００００", " 0000 ")
SCHEDULED = "周六下午两点的咖啡品鉴照常举行，请从南门进。期待与您见面！0000退订。"
LIVE = (*CLINIC.answers[:8], *CLUB.answers[:6], *UNASKED[:6])
