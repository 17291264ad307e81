"""一个小网店的订单服务：日志为中文。A small shop's order service that logs in Chinese.

usage: wangdian.py PORT
"""
import http.server, json, logging, os, random, signal, sys, threading, time, urllib.parse

logging.basicConfig(stream=sys.stdout, level=logging.DEBUG, format="%(asctime)s [%(levelname)s] %(message)s")
日志 = logging.getLogger("网店")
锁 = threading.Lock()
商品 = ["茶叶", "青花瓷杯", "竹编篮", "丝绸围巾", "毛笔", "宣纸", "砚台", "折扇", "油纸伞", "紫砂壶"]
库存 = {名: 30 for 名 in 商品}
仓库 = ["北京一号仓", "上海二号仓", "广州南沙仓", "成都西部仓", "武汉中转仓"]
快递 = ["顺路快递", "飞燕物流", "长江速运"]
订单: dict[int, dict] = {}
会话: dict[str, float] = {}
失败次数: dict[str, int] = {}


class 库存不足(Exception):
    pass


def 扣减库存(名, 数量):
    with 锁:
        剩余 = 库存[名]
        if 剩余 < 数量:
            raise 库存不足(f"商品{名}剩余{剩余}件，需要{数量}件")
        库存[名] = 剩余 - 数量
    if 剩余 - 数量 < 5:
        日志.warning("商品%s库存仅剩%d件，低于警戒线5件，请尽快补货", 名, 剩余 - 数量)


def 下单(请求):
    用户, 名, 数量 = 请求["用户"], 请求["商品"], int(请求["数量"])
    if 用户 not in 会话:
        日志.info("用户%s会话不存在或已过期，要求重新登录", 用户)
        return 401, {"错误": "请登录"}
    try:
        扣减库存(名, 数量)
    except 库存不足 as 原因:
        日志.error("用户%s下单失败，原因：%s", 用户, 原因)
        with 锁:
            库存[名] += 40
        日志.info("%s补货完成，商品%s入库40件，当前库存%d件", random.choice(仓库), 名, 库存[名])
        return 409, {"错误": str(原因)}
    编号 = 20260000 + len(订单) + 1
    订单[编号] = {"用户": 用户, "商品": 名, "数量": 数量, "状态": "待支付"}
    日志.info("用户%s创建订单%d成功，商品%s共%d件，金额%.2f元", 用户, 编号, 名, 数量, 数量 * (18.5 + len(名) * 7))
    return 201, {"编号": 编号}


def 推进(编号):
    单 = 订单[编号]
    下一步 = {"待支付": "已支付", "已支付": "配送中", "配送中": "已签收", "已签收": "已签收"}
    旧, 单["状态"] = 单["状态"], 下一步[单["状态"]]
    日志.info("订单%d状态由%s变更为%s", 编号, 旧, 单["状态"])
    if 单["状态"] == "配送中":
        日志.info("订单%d已从%s发出，承运商%s，运单号SF%010d", 编号, random.choice(仓库), random.choice(快递), random.randrange(10**10))
    return 200, 单


def 登录(用户, 口令长度):
    if 口令长度 < 6:
        失败次数[用户] = 失败次数.get(用户, 0) + 1
        日志.warning("用户%s登录失败，密码错误，连续失败%d次", 用户, 失败次数[用户])
        if 失败次数[用户] % 3 == 0:
            日志.error("用户%s连续失败次数过多，账号锁定%d分钟", 用户, 失败次数[用户] * 5)
        return 403, {}
    会话[用户] = time.time()
    失败次数.pop(用户, None)
    return 200, {}


class 处理(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.处理请求(b"")

    def do_POST(self):
        self.处理请求(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def 处理请求(self, 内容):
        开始 = time.monotonic()
        路径 = urllib.parse.urlsplit(self.path)
        参数 = dict(urllib.parse.parse_qsl(路径.query))
        来源 = self.headers.get("X-Real-IP", "未知")
        try:
            if 路径.path == "/zh/login":
                状态, 值 = 登录(参数["user"], int(参数["n"]))
                if 状态 == 200:
                    日志.info("用户%s登录成功，来源地址%s，当前在线%d人", 参数["user"], 来源, len(会话))
            elif 路径.path == "/zh/order":
                状态, 值 = 下单(json.loads(内容))
            elif 路径.path == "/zh/next":
                状态, 值 = 推进(20260000 + int(参数["n"]))
            elif 路径.path == "/zh/stock":
                状态, 值 = 200, 库存
                日志.debug("查询库存请求来自%s，共返回%d种商品", 来源, len(库存))
            else:
                日志.warning("收到未知路径请求：%s", 路径.path)
                状态, 值 = 404, {}
        except Exception:
            日志.exception("处理请求%s时发生异常，来源地址%s", 路径.path, 来源)
            状态, 值 = 500, {"错误": "内部错误"}
        文本 = json.dumps(值, ensure_ascii=False).encode()
        self.send_response(状态)
        self.send_header("Content-Length", str(len(文本)))
        self.end_headers()
        self.wfile.write(文本)
        耗时 = (time.monotonic() - 开始) * 1000
        if 耗时 > 8:
            日志.warning("请求%s处理耗时%.1f毫秒，超过阈值8毫秒", 路径.path, 耗时)

    def log_message(self, *_):
        pass


def 巡检():
    轮次 = 0
    while True:
        time.sleep(5)
        轮次 += 1
        过期 = [名 for 名, 时 in list(会话.items()) if time.time() - 时 > 20]
        for 名 in 过期:
            会话.pop(名, None)
        日志.info("第%d轮巡检完成：清理过期会话%d个，待处理订单%d笔，系统负载%.2f", 轮次, len(过期),
                sum(单["状态"] != "已签收" for 单 in list(订单.values())), os.getloadavg()[0])
        if 轮次 % 6 == 0:
            日志.info("数据备份开始")
            日志.info("数据备份结束，共写入%d条记录，用时%d毫秒", len(订单), 3 + len(订单) % 17)


def 停止(*_):
    日志.info("收到停止信号，服务退出，累计订单%d笔", len(订单))
    os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, 停止)
    服务 = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), 处理)
    日志.info("服务启动成功，监听端口%s", sys.argv[1])
    threading.Thread(target=巡检, daemon=True).start()
    服务.serve_forever()
