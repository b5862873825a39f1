// What the page says, by language of its interface.
export const WORDS = {
  en: {
    interface: "Interface", voice: "Voice", language: "Language", text: "Text", hint: "Ctrl+Enter speaks, Esc stops.",
    reference: "Sound like a recording", sound: "Sound, 3 to 10 s", said: "What is said in it", settings: "Settings",
    speed: "Speed", seed: "Seed", temperature: "Temperature", key: "Key of this server", speak: "Speak", stop: "Stop",
    first: "First sound", factor: "Real-time factor", tokens: "Tokens", length: "Length", history: "Spoken so far",
    proof: "Proof", "proof-note": "Distances from PyTorch that the build measured; it stops where one misses its bar.",
    graph: "Graph", metric: "Measured", value: "Value", close: "Close", download: "Download", wave: "Waveform; lines mark chunks",
    failed: "The server can't be reached.", cut: "The sound was cut off.", none: "This bundle holds no measurements.",
  },
  zh: {
    interface: "界面", voice: "声音", language: "语言", text: "文本", hint: "Ctrl+Enter 朗读，Esc 停止。",
    reference: "模仿一段录音", sound: "录音，3 至 10 秒", said: "录音里说的话", settings: "设置",
    speed: "语速", seed: "随机种子", temperature: "温度", key: "服务器密钥", speak: "朗读", stop: "停止",
    first: "首个声音", factor: "实时率", tokens: "语义标记", length: "时长", history: "已朗读",
    proof: "验证", "proof-note": "构建时测得的与 PyTorch 的差距；任何一项超限，构建即停止。",
    graph: "计算图", metric: "指标", value: "数值", close: "关闭", download: "下载", wave: "波形；竖线是分块",
    failed: "无法连接服务器。", cut: "声音中断了。", none: "此声音没有测量数据。",
  },
  ja: {
    interface: "表示", voice: "声", language: "言語", text: "テキスト", hint: "Ctrl+Enter で読み上げ、Esc で停止。",
    reference: "録音の声をまねる", sound: "録音、3〜10 秒", said: "録音の内容", settings: "設定",
    speed: "速さ", seed: "シード", temperature: "温度", key: "サーバーのキー", speak: "読み上げ", stop: "停止",
    first: "最初の音", factor: "実時間比", tokens: "トークン", length: "長さ", history: "読み上げたもの",
    proof: "検証", "proof-note": "ビルド時に測った PyTorch との差です。基準を超えるとビルドは止まります。",
    graph: "グラフ", metric: "指標", value: "値", close: "閉じる", download: "保存", wave: "波形。縦線はチャンク",
    failed: "サーバーに接続できません。", cut: "音声が途切れました。", none: "測定値がありません。",
  },
};

export const LANGUAGE_NAMES = {
  auto: "auto", zh: "中文", en: "English", ja: "日本語", ko: "한국어", yue: "粵語",
};

export function usualLanguage() {
  const wanted = navigator.languages.map((one) => one.slice(0, 2).toLowerCase());
  return wanted.find((one) => one in WORDS) ?? "en";
}
